# SPDX-License-Identifier: Apache-2.0
"""Errors of the store."""

from __future__ import annotations


class StoreError(Exception):
    """The store cannot be opened or used. The message is one line: what is wrong, where, and what to do."""
