# SPDX-License-Identifier: Apache-2.0
"""Settings that change while a server runs."""
