# SPDX-License-Identifier: Apache-2.0
"""Everything that a peer may take from this process, in one place."""

from __future__ import annotations

from dataclasses import dataclass

_KIB = 1024
_MIB = 1024 * _KIB


@dataclass(frozen=True)
class ServerLimits:
    """Defaults, each with its reason. Apache's setting of the same meaning is named where there is one."""

    # Twice the 10,000 idle clients that must fit; above it the newest connection is closed at once.
    connections_max: int = 20_000
    # One host may not take every place: others keep two fifths. 10,000 clients behind one address still fit.
    connections_of_host_max: int = 12_000
    # serverChannelMaxIdleTimeSeconds: clients beat every 30 s, so four beats are missing.
    idle_ms: int = 120_000
    # 16 MiB within 30 s is half a megabyte a second; Apache gives a half frame its 120 s of idling.
    frame_completion_ms: int = 30_000
    # com.rocketmq.remoting.frameMaxLength
    frame_bytes_max: int = 16 * _MIB
    # writeBufferHighWaterMark: a peer who leaves this much unread is not read any more. One answer holds 4 MiB at
    # most by default (maxMessageSize), so a peer that takes one answer at a time never meets it.
    unsent_high_bytes: int = 8 * _MIB
    # What is answered later (long polling, pushes) comes on top, without a read: beyond this the peer is dropped.
    unsent_hard_bytes: int = 64 * _MIB
    # All peers together: at most this much is held for slow readers, answers and their further requests; the worst go
    # first.
    unsent_total_bytes: int = 512 * _MIB
    # All unfinished frames together: 32 of the largest, or some hundred thousand small ones; the largest goes first.
    half_frames_total_bytes: int = 512 * _MIB
    # Calls to one client that wait for its answer (running info, direct consumption): rare, and made by hand.
    calls_max: int = 1_024
    # A closed connection may send what is queued for so long.
    closing_ms: int = 10_000
    # Time-outs are looked at this often, so they come late by one interval at most. 10,000 connections cost some ms.
    sweep_interval_ms: int = 1_000
