# SPDX-License-Identifier: Apache-2.0
"""Permission bits of a topic or a broker, as in Apache's PermName."""

from __future__ import annotations

PERM_INHERIT = 1
PERM_WRITE = 2
PERM_READ = 4
PERM_PRIORITY = 8

PERM_READ_WRITE = PERM_READ | PERM_WRITE


def is_readable(perm: int) -> bool:
    return bool(perm & PERM_READ)


def is_writeable(perm: int) -> bool:
    return bool(perm & PERM_WRITE)


def is_inherited(perm: int) -> bool:
    return bool(perm & PERM_INHERIT)


def is_valid(perm: int) -> bool:
    """Whether a request may set this value: PermName.isValid allows 0 to 7, the priority bit cannot be asked for."""
    return 0 <= perm < PERM_PRIORITY


def perm_text(perm: int) -> str:
    """`RW-` and the like, as remarks and tools print it."""
    read = "R" if is_readable(perm) else "-"
    write = "W" if is_writeable(perm) else "-"
    inherit = "X" if is_inherited(perm) else "-"
    return read + write + inherit
