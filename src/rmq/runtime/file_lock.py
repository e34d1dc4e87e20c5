# SPDX-License-Identifier: Apache-2.0
"""Whose lock it is: fcntl's record locks, as Java's `FileChannel.tryLock` takes them, name their holder."""

from __future__ import annotations

import fcntl
import os
import struct

# struct flock of 64-bit Linux: l_type, l_whence, (gap), l_start, l_len, l_pid, (gap). F_GETLK says who holds the lock.
_FLOCK = struct.Struct("hh4xqqi4x")


def lock_holder(descriptor: int) -> int | None:
    """The process that keeps others from locking byte 0 of this file; None when nobody does.

    A holder in another pid namespace has no number here and is reported as 0.
    """
    question = _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, 0, 1, 0)
    kind, _, _, _, pid = _FLOCK.unpack(fcntl.fcntl(descriptor, fcntl.F_GETLK, question))
    return None if kind == fcntl.F_UNLCK else max(0, pid)
