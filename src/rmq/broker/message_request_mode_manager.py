# SPDX-License-Identifier: Apache-2.0
"""Whether a group fetches a topic by PULL or POP when the broker assigns its queues: messageRequestMode.json. Answers
to Apache's MessageRequestModeManager."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..remoting.bodies import MessageRequestModeSerializeWrapper
from .durable_table import DurableTable

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..env import Reactor
    from ..remoting.bodies import SetMessageRequestModeRequestBody
    from .durable_table import ConfigFile, Persisted


class MessageRequestModeManager:
    def __init__(self, reactor: Reactor, file: ConfigFile) -> None:
        self._table = DurableTable(reactor, file, self.to_json_value)
        #: topic -> group -> mode
        self._modes: dict[str, dict[str, SetMessageRequestModeRequestBody]] = {}

    def load(self) -> None:
        """Raises StoreError."""
        stored = self._table.load(MessageRequestModeSerializeWrapper.from_json_value)
        if stored is not None:
            self._modes = stored.message_request_mode_map

    def flush(self, again: Callable[[], None]) -> bool:
        return self._table.flush(again)

    def get(self, topic: str, group: str) -> SetMessageRequestModeRequestBody | None:
        return self._modes.get(topic, {}).get(group)

    def set(self, mode: SetMessageRequestModeRequestBody, done: Persisted) -> None:
        self._modes.setdefault(mode.topic, {})[mode.consumer_group] = mode
        self._table.persist(done)

    def forget_topic(self, topic: str) -> None:
        if self._modes.pop(topic, None) is not None:
            self._table.persist()

    def take(self, master: MessageRequestModeSerializeWrapper) -> None:
        """A slave takes its master's table (402)."""
        if self._modes != master.message_request_mode_map:
            self._modes = master.message_request_mode_map
            self._table.persist()

    def wrapper(self) -> MessageRequestModeSerializeWrapper:
        return MessageRequestModeSerializeWrapper({topic: dict(groups) for topic, groups in self._modes.items()})

    def to_json_value(self) -> dict[str, Any]:
        return self.wrapper().to_json_value()
