# SPDX-License-Identifier: Apache-2.0
"""Real clusters of either engine as processes on this machine, and Apache's own clients and tools against them."""
