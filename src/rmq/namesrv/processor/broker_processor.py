# SPDX-License-Identifier: Apache-2.0
"""What brokers and those who drain them send: 103, 104, 205, 322, 327."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...remoting.bodies import DataVersion, KVTable
from ...remoting.codes import RequestCode, ResponseCode
from ...remoting.json_body import BodyError
from ...rpc import RequestRefused
from ..broker_registration import decode_registration
from ..kv_config_manager import NAMESPACE_ORDER_TOPIC_CONFIG
from .header import required

if TYPE_CHECKING:
    from ...remoting.command import RemotingCommand
    from ...rpc import Channel, ChannelHub
    from ..dynamic_config import DynamicConfig
    from ..kv_config_manager import KVConfigManager
    from ..registration_networks import RegistrationNetworks
    from ..route_info_manager import RouteInfoManager


class BrokerProcessor:
    def __init__(
        self,
        routes: RouteInfoManager,
        kv_config: KVConfigManager,
        config: DynamicConfig,
        networks: RegistrationNetworks,
    ) -> None:
        self._routes = routes
        self._kv_config = kv_config
        self._config = config
        self._networks = networks

    def register(self, hub: ChannelHub) -> None:
        hub.register(RequestCode.REGISTER_BROKER, self.register_broker)
        hub.register(RequestCode.UNREGISTER_BROKER, self.unregister_broker)
        hub.register(RequestCode.QUERY_DATA_VERSION, self.query_data_version)
        hub.register(RequestCode.WIPE_WRITE_PERM_OF_BROKER, self.wipe_write_perm)
        hub.register(RequestCode.ADD_WRITE_PERM_OF_BROKER, self.add_write_perm)

    def register_broker(self, channel: Channel, request: RemotingCommand) -> RemotingCommand:
        self._networks.check(channel, request)
        registration = decode_registration(request)
        config = self._config.current
        result = self._routes.register_broker(
            registration, channel, delete_other_topics=config.delete_topic_with_broker_registration
        )
        fields = {}
        if result.master_address:
            fields = {"masterAddr": result.master_address, "haServerAddr": result.ha_server_address}
        ordered = self._kv_config.namespace(NAMESPACE_ORDER_TOPIC_CONFIG)
        body = b""
        if config.return_order_topic_config_to_broker and ordered is not None:
            body = KVTable(table=ordered).encode()
        return request.response(ResponseCode.SUCCESS, ext_fields=fields, body=body)

    def unregister_broker(self, channel: Channel, request: RemotingCommand) -> RemotingCommand:
        self._networks.check(channel, request)
        cluster, address = required(request, "clusterName"), required(request, "brokerAddr")
        self._routes.unregister_broker(cluster, address, required(request, "brokerName"))
        return request.response(ResponseCode.SUCCESS)

    def query_data_version(self, _: Channel, request: RemotingCommand) -> RemotingCommand:
        """Whether a registration would tell anything new; a broker with forceRegister=false asks before each beat."""
        cluster, address = required(request, "clusterName"), required(request, "brokerAddr")
        try:
            asked = DataVersion.decode(request.body)
        except BodyError as error:
            raise RequestRefused(ResponseCode.SYSTEM_ERROR, str(error)) from None
        known = self._routes.data_version(cluster, address)
        self._routes.touch(cluster, address)
        changed = "false" if known == asked else "true"
        body = b"" if known is None else known.encode()
        return request.response(ResponseCode.SUCCESS, ext_fields={"changed": changed}, body=body)

    def wipe_write_perm(self, channel: Channel, request: RemotingCommand) -> RemotingCommand:
        self._networks.check(channel, request)
        count = self._routes.wipe_write_perm(required(request, "brokerName"))
        return request.response(ResponseCode.SUCCESS, ext_fields={"wipeTopicCount": str(count)})

    def add_write_perm(self, channel: Channel, request: RemotingCommand) -> RemotingCommand:
        self._networks.check(channel, request)
        count = self._routes.add_write_perm(required(request, "brokerName"))
        return request.response(ResponseCode.SUCCESS, ext_fields={"addTopicCount": str(count)})
