# SPDX-License-Identifier: Apache-2.0
"""The name server's own configuration: 318, 319."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...remoting.codes import RequestCode, ResponseCode
from ...topology.properties import render
from .kv_config_processor import answer_when_written

if TYPE_CHECKING:
    from ...remoting.command import RemotingCommand
    from ...rpc import Channel, ChannelHub
    from ..dynamic_config import DynamicConfig
    from ..registration_networks import RegistrationNetworks


class ConfigProcessor:
    def __init__(self, config: DynamicConfig, networks: RegistrationNetworks) -> None:
        self._config = config
        self._networks = networks

    def register(self, hub: ChannelHub) -> None:
        hub.register(RequestCode.UPDATE_NAMESRV_CONFIG, self.update)
        hub.register(RequestCode.GET_NAMESRV_CONFIG, self.get)

    def update(self, channel: Channel, request: RemotingCommand) -> None:
        self._networks.check(channel, request)
        self._config.update(request.body, answer_when_written(channel, request))

    def get(self, _: Channel, request: RemotingCommand) -> RemotingCommand:
        """The settings in force that this name server honours, as a properties file."""
        body = render(self._config.current.to_properties()).encode("ascii")
        return request.response(ResponseCode.SUCCESS, body=body)
