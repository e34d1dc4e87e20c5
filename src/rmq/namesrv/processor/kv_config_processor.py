# SPDX-License-Identifier: Apache-2.0
"""Keys and values by namespace: 100, 101, 102, 219."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...remoting.bodies import KVTable
from ...remoting.codes import RequestCode, ResponseCode
from ...rpc import RequestRefused
from .header import required

if TYPE_CHECKING:
    from collections.abc import Callable

    from ...remoting.command import RemotingCommand
    from ...rpc import Channel, ChannelHub
    from ..kv_config_manager import KVConfigManager


class KVConfigProcessor:
    def __init__(self, kv_config: KVConfigManager) -> None:
        self._kv_config = kv_config

    def register(self, hub: ChannelHub) -> None:
        hub.register(RequestCode.PUT_KV_CONFIG, self.put)
        hub.register(RequestCode.GET_KV_CONFIG, self.get)
        hub.register(RequestCode.DELETE_KV_CONFIG, self.delete)
        hub.register(RequestCode.GET_KVLIST_BY_NAMESPACE, self.namespace)

    def put(self, channel: Channel, request: RemotingCommand) -> None:
        fields = request.ext_fields
        namespace, key = fields.get("namespace"), fields.get("key")
        if namespace is None or key is None:
            raise RequestRefused(ResponseCode.SYSTEM_ERROR, "namespace or key is null")
        self._kv_config.put(namespace, key, required(request, "value"), answer_when_written(channel, request))

    def delete(self, channel: Channel, request: RemotingCommand) -> None:
        namespace, key = required(request, "namespace"), required(request, "key")
        self._kv_config.delete(namespace, key, answer_when_written(channel, request))

    def get(self, _: Channel, request: RemotingCommand) -> RemotingCommand:
        namespace, key = required(request, "namespace"), required(request, "key")
        value = self._kv_config.get(namespace, key)
        if value is None:
            remark = f"No config item, Namespace: {namespace} Key: {key}"
            return request.response(ResponseCode.QUERY_NOT_FOUND, remark)
        return request.response(ResponseCode.SUCCESS, ext_fields={"value": value})

    def namespace(self, _: Channel, request: RemotingCommand) -> RemotingCommand:
        namespace = required(request, "namespace")
        table = self._kv_config.namespace(namespace)
        if table is None:
            return request.response(ResponseCode.QUERY_NOT_FOUND, f"No config item, Namespace: {namespace}")
        return request.response(ResponseCode.SUCCESS, body=KVTable(table=table).encode())


def answer_when_written(channel: Channel, request: RemotingCommand) -> Callable[[BaseException | None], None]:
    """The answer that follows a write to disk: success, or code 1 with what the disk said."""

    def written(error: BaseException | None) -> None:
        code = ResponseCode.SUCCESS if error is None else ResponseCode.SYSTEM_ERROR
        channel.answer(request.response(code, None if error is None else f"not written to disk: {error}"))

    return written
