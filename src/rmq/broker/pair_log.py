# SPDX-License-Identifier: Apache-2.0
"""What the brokers of one pair ask each other about their logs, on the remoting port and beside Apache's HA stream.

| request | fields | answer |
|---|---|---|
| HA_LOG_STATE | brokerName, from, to | minOffset, maxOffset, wholeOffset; crc of [from, to), -1 where a byte lacks |
| | verify=true | damaged: how many records of that range are damaged here; they are fenced, and mended |
| HA_READ_LOG | brokerName, from, maxBytes | body: bytes of the log from there to wholeOffset or a file's end |
| HA_DELETED_TOPICS | | body: the table of store/deleted_topics.py |

Answered by masters and slaves of ours, to hosts that may copy the log anyway (`PairPeers`). A broker of Apache's
answers 3 (not supported).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..remoting.codes import ResponseCode
from ..remoting.command import RemotingCommand
from ..store.errors import StoreError
from ..store.ha.log_comparison import LogState, log_crc

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..rpc import CallFailed, Channel, OutboundClient
    from ..store import MessageStore
    from ..store.ha.log_comparison import Range

# Ours alone, as HA_IDENTIFY is.
HA_LOG_STATE = 540_011
HA_READ_LOG = 540_012
HA_DELETED_TOPICS = 540_013

ANSWER = ("minOffset", "maxOffset", "wholeOffset", "crc", "damaged", "damagedTo")
_WHERE_VERIFIED = ("damaged", "damagedTo")

TIMEOUT_MS = 3_000
#: A frame has at most 16 MiB.
READ_BYTES_MAX = 4 * 1024 * 1024


class PairLogProcessor:
    """Register it for all three codes."""

    def __init__(self, broker_name: str, store: MessageStore, is_allowed: Callable[[str], bool]) -> None:
        self._broker_name = broker_name
        self._store = store
        self._is_allowed = is_allowed

    def __call__(self, channel: Channel, request: RemotingCommand) -> RemotingCommand:
        fields = request.ext_fields
        if not self._is_allowed(channel.peer_host):
            return request.response(
                ResponseCode.NO_PERMISSION,
                f"{channel.peer_host} is no broker of {self._broker_name}: list it in haPeers if it should be one",
            )
        if request.code == HA_DELETED_TOPICS:
            return request.response(ResponseCode.SUCCESS, body=self._store.deleted_topics.encode())
        if fields.get("brokerName") != self._broker_name:
            return request.response(ResponseCode.INVALID_PARAMETER, f"this is a broker of {self._broker_name}")
        start, other = fields.get("from", ""), fields.get("to" if request.code == HA_LOG_STATE else "maxBytes", "")
        if not (_is_number(start) and _is_number(other)):
            return request.response(ResponseCode.INVALID_PARAMETER, "from, and to or maxBytes, are numbers of bytes")
        if request.code == HA_LOG_STATE:
            return self._state(request, (int(start), int(other)))
        return self._read(request, int(start), int(other))

    def _state(self, request: RemotingCommand, wanted: Range) -> RemotingCommand:
        store = self._store
        state = {
            "minOffset": store.min_physical_offset,
            "maxOffset": store.max_physical_offset,
            "wholeOffset": store.whole_physical_offset,
            "crc": log_crc(store, wanted),
        }
        if request.ext_fields.get("verify") == "true" and state["crc"] >= 0:
            state["damaged"] = store.mending.check(*wanted)
            state["damagedTo"] = store.mending.end_of_damage(wanted[0])
        return request.response(ResponseCode.SUCCESS, ext_fields={name: str(value) for name, value in state.items()})

    def _read(self, request: RemotingCommand, start: int, max_bytes: int) -> RemotingCommand:
        max_bytes = min(max_bytes, READ_BYTES_MAX, max(0, self._store.whole_physical_offset - start))
        try:
            part = self._store.read_log(start, max_bytes)
        except StoreError as error:
            return request.response(ResponseCode.SYSTEM_ERROR, str(error))
        return request.response(ResponseCode.SUCCESS, body=bytes(part))


class PairLog:
    """`PeerLog` by these requests. address(): where the other broker is now, None while that is not known."""

    def __init__(self, broker_name: str, client: OutboundClient, address: Callable[[], str | None]) -> None:
        self._broker_name = broker_name
        self._client = client
        self._address = address

    def ask(self, wanted: Range, answered: Callable[[LogState | None, str], None], *, verify: bool = False) -> None:
        def take(answer: RemotingCommand | None, why: str) -> None:
            if answer is None:
                answered(None, why)
                return
            fields = answer.ext_fields
            try:
                state = LogState._make(int(fields.get(name, "0" if name in _WHERE_VERIFIED else "")) for name in ANSWER)
            except ValueError:
                answered(None, f"{self._address()} gave no state of its log")
            else:
                answered(state, "")

        fields = {"from": str(wanted[0]), "to": str(wanted[1]), "verify": str(verify).lower()}
        self._invoke(HA_LOG_STATE, fields, take)

    def read(self, start: int, max_bytes: int, done: Callable[[bytes | None, str], None]) -> None:
        """done(bytes, ""), empty at the end of the last whole record; or (None, why)."""

        def take(answer: RemotingCommand | None, why: str) -> None:
            if answer is None:
                done(None, why or "it cannot be asked for its log")
            else:
                done(answer.body, "")

        self._invoke(HA_READ_LOG, {"from": str(start), "maxBytes": str(max_bytes)}, take)

    def _invoke(self, code: int, fields: dict[str, str], take: Callable[[RemotingCommand | None, str], None]) -> None:
        """take(answer, ""), (None, "") by a peer that does not know the request, or (None, why)."""
        address = self._address()
        if address is None:
            take(None, "its remoting address is not known yet")
            return

        def done(answer: RemotingCommand | CallFailed) -> None:
            if not isinstance(answer, RemotingCommand):
                take(None, f"{address}: {answer}")
            elif answer.code == ResponseCode.SUCCESS:
                take(answer, "")
            elif answer.code == ResponseCode.REQUEST_CODE_NOT_SUPPORTED:
                take(None, "")
            else:
                take(None, f"{address}: code {answer.code}, {answer.remark}")

        request = RemotingCommand.request(code, {"brokerName": self._broker_name, **fields})
        self._client.invoke(address, request, TIMEOUT_MS, done)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) < 19
