# SPDX-License-Identifier: Apache-2.0
"""Requests by subject: each module answers a few codes, `registry` lists which."""
