# SPDX-License-Identifier: Apache-2.0
"""What all channels of a server (or of a client) share: processors, limits, the end of the tick, time-outs.

What Apache's NettyRemotingAbstract and its idle handlers do. A request has one of these ends, and no other:

    request                         end
    a processor's answer            sent
    a processor's None              sent later by the processor through `Channel.answer`, or never (one-way)
    RequestRefused from a processor its code and remark
    any other exception             code 1 with the exception's name and text; logged
    an answer above a frame's limit code 1 with its size; logged
    unknown code                    code 3, " request type N not supported" (the blank is Apache's)
    code 0                          nothing (an empty object `{}` reads as one; Apache stays silent too)
    one-way                         nothing, errors included
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..remoting.codes import ResponseCode
from ..remoting.command import FLAG_ONEWAY, FLAG_RESPONSE, RemotingCommand
from .channel import Channel
from .errors import RequestRefused
from .rate_limited_log import RateLimitedLog

if TYPE_CHECKING:
    import logging

    from ..env import HandshakeFailed, Reactor, Timer
    from .limits import ServerLimits
    from .tick_clock import TickClock

Processor = Callable[[Channel, RemotingCommand], RemotingCommand | None]


@dataclass
class HubCounters:
    """Since the start, for runtime information and tests."""

    connections_accepted: int = 0
    connections_refused: int = 0
    handshakes_failed: int = 0
    bad_frames: int = 0
    idle_closed: int = 0
    half_frames_closed: int = 0
    slow_peers_closed: int = 0
    failed_requests: int = 0


class ChannelHub:
    """Owns its channels from connection to close."""

    def __init__(self, reactor: Reactor, limits: ServerLimits, log: logging.Logger) -> None:
        self.reactor = reactor
        self.limits = limits
        self.counters = HubCounters()
        self.tick: TickClock | None = None
        """Where somebody wants to know how long requests wait: set before the first connection."""
        self.channels: set[Channel] = set()
        self._of_host: dict[str, int] = {}
        self._log = RateLimitedLog(log, reactor.clock)
        self._processors: dict[int, Processor] = {}
        self._default: Processor = not_supported
        self._closed_callbacks: list[Callable[[Channel], None]] = []
        self._to_flush: list[Channel] = []
        self._half_frames_bytes = 0
        self._sweep_timer: Timer | None = None
        self._is_closed = False

    def register(self, code: int, processor: Processor) -> None:
        """Requests with this code go there. A second registration of a code replaces the first."""
        self._processors[int(code)] = processor

    @property
    def codes(self) -> frozenset[int]:
        """Everything that is registered."""
        return frozenset(self._processors)

    def default(self, processor: Processor) -> None:
        """Requests with a code that nobody registered go there, instead of the answer "not supported"."""
        self._default = processor

    def on_channel_closed(self, callback: Callable[[Channel], None]) -> None:
        """Called once for each channel that was open, after it is closed."""
        self._closed_callbacks.append(callback)

    def close(self) -> None:
        """Close all channels, each after what it has gathered."""
        self._is_closed = True
        if self._sweep_timer is not None:
            self._sweep_timer.cancel()
            self._sweep_timer = None
        for channel in tuple(self.channels):
            channel.close()

    # -- called by channels --

    def channel_opened(self, channel: Channel) -> None:
        channel.idle_since_ms = self.reactor.clock.monotonic_ms()
        self.channels.add(channel)
        of_host = self._of_host[channel.peer_host] = self._of_host.get(channel.peer_host, 0) + 1
        self.counters.connections_accepted += 1
        if self._is_closed or len(self.channels) > self.limits.connections_max:
            self._refuse_connection(channel, f"{len(self.channels) - 1} connections are open")
        elif of_host > self.limits.connections_of_host_max:
            self._refuse_connection(channel, f"{of_host - 1} connections of its host are open")
        elif self._sweep_timer is None:
            self._sweep_timer = self.reactor.call_later(self.limits.sweep_interval_ms, self._sweep)

    def _refuse_connection(self, channel: Channel, why: str) -> None:
        self.counters.connections_refused += 1
        self._log.warning("connections", "%s is refused: %s", channel, why)
        channel.abort()

    def channel_closed(self, channel: Channel) -> None:
        self.channels.discard(channel)
        left = self._of_host.get(channel.peer_host, 0) - 1
        if left > 0:
            self._of_host[channel.peer_host] = left
        else:
            self._of_host.pop(channel.peer_host, None)
        self._half_frames_bytes -= channel.half_frame_bytes
        channel.half_frame_bytes = 0
        for callback in self._closed_callbacks:
            callback(channel)

    def dispatch(self, channel: Channel, command: RemotingCommand) -> None:
        flag = command.flag
        if flag & FLAG_RESPONSE:
            channel.answered(command)
            return
        processor = self._processors.get(command.code, self._default)
        try:
            response = processor(channel, command)
        except RequestRefused as refusal:
            response = command.response(refusal.code, refusal.remark)
        except Exception as error:
            response = self._failed(channel, command, error)
        if response is not None and not flag & FLAG_ONEWAY:
            channel.answer(response)

    def _failed(self, channel: Channel, command: RemotingCommand, error: Exception) -> RemotingCommand:
        self.counters.failed_requests += 1
        self._log.warning("request", "request %d of %s failed", command.code, channel, error=error)
        return command.response(ResponseCode.SYSTEM_ERROR, f"{type(error).__name__}: {error}")

    def bad_frame(self, channel: Channel, reason: str) -> None:
        self.counters.bad_frames += 1
        self._log.warning("frame", "%s is closed: %s", channel, reason)

    def handshake_failed(self, channel: Channel, error: HandshakeFailed) -> None:
        self.counters.handshakes_failed += 1
        self._log.warning("handshake", "%s is closed: %s", channel, error)

    def slow_peer(self, channel: Channel, held_bytes: int) -> None:
        self.counters.slow_peers_closed += 1
        self._log.warning(
            "slow", "%s is dropped: it leaves answers unread, %d bytes are held for it", channel, held_bytes
        )

    def answer_too_large(self, channel: Channel, size_bytes: int) -> None:
        self._log.warning("answer", "an answer of %d bytes to %s is above the limit of a frame", size_bytes, channel)

    def half_frame_grew(self, channel: Channel, size_bytes: int) -> None:
        """Counts what unfinished frames hold; beyond the limit the one that holds most has to go."""
        self._half_frames_bytes += size_bytes - channel.half_frame_bytes
        channel.half_frame_bytes = size_bytes
        if self._half_frames_bytes > self.limits.half_frames_total_bytes:
            self._drop_half_frame(max(self.channels, key=lambda each: each.half_frame_bytes))

    def flush_later(self, channel: Channel) -> None:
        if not self._to_flush:
            self.reactor.call_soon(self._flush_all)
        self._to_flush.append(channel)

    def _flush_all(self) -> None:
        channels, self._to_flush = self._to_flush, []
        for channel in channels:
            channel.flush()

    # -- time-outs --

    def _sweep(self) -> None:
        now_ms = self.reactor.clock.monotonic_ms()
        for channel in tuple(self.channels):
            self._look_at(channel, now_ms)
        self._drop_slowest()
        self._sweep_timer = None
        if self.channels:
            self._sweep_timer = self.reactor.call_later(self.limits.sweep_interval_ms, self._sweep)

    def _look_at(self, channel: Channel, now_ms: int) -> None:
        limits = self.limits
        if channel.closing_since_ms is not None:
            if now_ms - channel.closing_since_ms >= limits.closing_ms:
                channel.abort()
            return
        if channel.was_active:
            channel.was_active = False
            channel.idle_since_ms = now_ms
        elif now_ms - channel.idle_since_ms >= limits.idle_ms:
            self._close_idle(channel)
            return
        if not channel.half_frame_bytes or channel.made_progress:
            channel.made_progress = False
            channel.half_frame_since_ms = now_ms if channel.half_frame_bytes else None
        elif channel.half_frame_since_ms is None:
            channel.half_frame_since_ms = now_ms
        elif now_ms - channel.half_frame_since_ms >= limits.frame_completion_ms:
            self._drop_half_frame(channel)

    def _close_idle(self, channel: Channel) -> None:
        self.counters.idle_closed += 1
        unsent_bytes = channel.unsent_bytes
        if unsent_bytes:
            # It has not taken a byte for all that time: it will not take the rest either.
            self.slow_peer(channel, unsent_bytes)
            channel.abort()
        else:
            channel.close()

    def _drop_half_frame(self, channel: Channel) -> None:
        self.counters.half_frames_closed += 1
        self._log.warning(
            "half frame", "%s is dropped: %d bytes of a frame that does not end", channel, channel.half_frame_bytes
        )
        self._half_frames_bytes -= channel.half_frame_bytes
        channel.half_frame_bytes = 0
        channel.abort()

    def _drop_slowest(self) -> None:
        held = {channel: channel.held_bytes for channel in self.channels}
        total_bytes = sum(held.values())
        if total_bytes <= self.limits.unsent_total_bytes:
            return
        for channel, size_bytes in sorted(held.items(), key=lambda item: item[1], reverse=True):
            self.slow_peer(channel, size_bytes)
            channel.abort()
            total_bytes -= size_bytes
            if total_bytes <= self.limits.unsent_total_bytes:
                return


def not_supported(_: Channel, request: RemotingCommand) -> RemotingCommand | None:
    if request.code == 0:
        return None
    return request.response(ResponseCode.REQUEST_CODE_NOT_SUPPORTED, f" request type {request.code} not supported")
