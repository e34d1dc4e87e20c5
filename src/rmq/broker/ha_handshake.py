# SPDX-License-Identifier: Apache-2.0
"""A slave of ours tells its master which HA connection is its own.

The HA stream names nobody. So a slave that has connected says on the master's remoting port: the stream that comes
from this address is brokerName, brokerId. The master then counts that slave once, however many of its connections are
half-open.

| field of HA_IDENTIFY | value |
|---|---|
| brokerName, brokerId | the slave's |
| haAddress | "ip:port" of the slave's end of the HA connection |

A master of Apache's answers 3 (not supported), and that is the end of it. Believed only from the host that holds the
connection, so that nobody can take another slave's place.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from ..remoting.codes import ResponseCode
from ..remoting.command import RemotingCommand
from ..store.ha.address import parse_address

if TYPE_CHECKING:
    from ..env import Reactor
    from ..rpc import CallFailed, Channel, OutboundClient
    from ..store.ha import HaService

# Ours alone: above all codes of Apache, the highest of which is 200,151.
HA_IDENTIFY = 540_001

TIMEOUT_MS = 3000
# The master may see this request before it sees the connection, or be reached a little later than its HA port.
RETRY_PAUSE_MS = 500
ATTEMPTS_MAX = 10

_LOG = logging.getLogger("rmq.ha")


class HaIdentifyProcessor:
    """The master's side: register it for HA_IDENTIFY."""

    def __init__(self, broker_name: str, ha_service: HaService) -> None:
        self._broker_name = broker_name
        self._ha_service = ha_service

    def __call__(self, channel: Channel, request: RemotingCommand) -> RemotingCommand:
        fields = request.ext_fields
        address = fields.get("haAddress", "")
        broker_id = fields.get("brokerId", "")
        if fields.get("brokerName") != self._broker_name or not _is_slave_id(broker_id):
            return request.response(ResponseCode.SYSTEM_ERROR, f"this is the master of {self._broker_name}, not yours")
        if not _is_at(address, channel.peer_host):
            return request.response(ResponseCode.NO_PERMISSION, "an HA connection is named by the host that holds it")
        if not self._ha_service.identify(address, int(broker_id)):
            return request.response(ResponseCode.SYSTEM_ERROR, f"no HA connection from {address}")
        return request.response(ResponseCode.SUCCESS)


class HaIntroduction:
    """The slave's side: `introduce` is HaClient's on_connected."""

    def __init__(self, broker_name: str, broker_id: int, client: OutboundClient, reactor: Reactor) -> None:
        self._broker_name = broker_name
        self._broker_id = broker_id
        self._client = client
        self._reactor = reactor
        self._master_address: str | None = None
        self._ha_address = ""
        self._attempts_left = 0

    def set_master_address(self, address: str) -> None:
        """The master's remoting address, masterAddr of a registration answer."""
        self._master_address = address

    def introduce(self, ha_address: str) -> None:
        """The stream is open at our ha_address: tell the master."""
        self._ha_address = ha_address
        self._attempts_left = ATTEMPTS_MAX
        self._send(ha_address)

    def _send(self, ha_address: str) -> None:
        if ha_address != self._ha_address or not self._attempts_left:
            return
        self._attempts_left -= 1
        if self._master_address is None:
            self._reactor.call_later(RETRY_PAUSE_MS, lambda: self._send(ha_address))
            return
        fields = {"brokerName": self._broker_name, "brokerId": str(self._broker_id), "haAddress": ha_address}
        request = RemotingCommand.request(HA_IDENTIFY, fields)
        self._client.invoke(
            self._master_address, request, TIMEOUT_MS, lambda answer: self._answered(ha_address, answer)
        )

    def _answered(self, ha_address: str, answer: RemotingCommand | CallFailed) -> None:
        if isinstance(answer, RemotingCommand) and answer.code in (
            ResponseCode.SUCCESS,
            ResponseCode.REQUEST_CODE_NOT_SUPPORTED,
        ):
            return
        if not self._attempts_left:
            why = answer.remark if isinstance(answer, RemotingCommand) else answer
            _LOG.warning("the master does not know whose HA connection %s is: %s", ha_address, why)
        self._reactor.call_later(RETRY_PAUSE_MS, lambda: self._send(ha_address))


def _is_slave_id(text: str) -> bool:
    """A long above 0. The length is looked at first: it is a stranger's text."""
    return text.isascii() and text.isdigit() and len(text) < 19 and int(text) > 0


def _is_at(address: str, host: str) -> bool:
    try:
        return parse_address(address)[0] == host
    except ValueError:
        return False
