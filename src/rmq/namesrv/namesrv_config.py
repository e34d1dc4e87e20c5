# SPDX-License-Identifier: Apache-2.0
"""What the name server reads from its settings, with Apache's names, types and defaults (NamesrvConfig,
NettyServerConfig)."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .registration_networks import RegistrationNetworks

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..topology.settings import Value

# What 318 may change while the name server runs: what each request looks at anew.
DYNAMIC_KEYS = frozenset(
    (
        "deleteTopicWithBrokerRegistration",
        "enableAllTopicList",
        "enableTopicList",
        "orderMessageEnable",
        "returnOrderTopicConfigToBroker",
    )
)
# Apache's black list: these name files. 318 answers for them as Apache does, whatever the value.
BLACK_LIST = frozenset(("configBlackList", "configStorePath", "kvConfigPath", "rocketmqHome"))


def _key(name: str, default: Any) -> Any:
    """A field that is read from the setting `name`."""
    return field(default=default, metadata={"key": name})


@dataclass(frozen=True)
class NamesrvConfig:
    """Immutable; a dynamic change makes a new one."""

    bind_address: str = _key("bindAddress", "0.0.0.0")
    # Ours: several addresses with ; between, which win over bindAddress.
    bind_addresses: str = _key("bindAddresses", "")
    listen_port: int = _key("listenPort", 9876)
    rocketmq_home: str = _key("rocketmqHome", "")
    kv_config_path: str = _key("kvConfigPath", "")
    config_store_path: str = _key("configStorePath", "")
    scan_not_active_broker_interval_ms: int = _key("scanNotActiveBrokerInterval", 5_000)
    order_message_enable: bool = _key("orderMessageEnable", False)
    return_order_topic_config_to_broker: bool = _key("returnOrderTopicConfigToBroker", True)
    delete_topic_with_broker_registration: bool = _key("deleteTopicWithBrokerRegistration", False)
    enable_all_topic_list: bool = _key("enableAllTopicList", True)
    enable_topic_list: bool = _key("enableTopicList", True)
    # Ours: who may change routes, see registration_networks.py.
    registration_networks: str = _key("registrationNetworks", "")
    server_channel_max_idle_time_s: int = _key("serverChannelMaxIdleTimeSeconds", 120)
    server_socket_backlog: int = _key("serverSocketBacklog", 1024)

    @classmethod
    def from_settings(cls, settings: Mapping[str, Value], *, home: Path) -> NamesrvConfig:
        """From checked settings (`topology.settings.Checked.values`); home is where ~/namesrv lies by default.

        Raises ValueError for a registrationNetworks that is no list of networks.
        """
        values: dict[str, Any] = {"kv_config_path": str(home / "namesrv" / "kvConfig.json")}
        values["config_store_path"] = str(home / "namesrv" / "namesrv.properties")
        for item in fields(cls):
            value = settings.get(item.metadata["key"])
            if value is not None:
                values[item.name] = value
        config = cls(**values)
        RegistrationNetworks(config.registration_networks)
        return config

    @property
    def listen_hosts(self) -> tuple[str, ...]:
        several = tuple(host for part in self.bind_addresses.split(";") if (host := part.strip()))
        return several or (self.bind_address,)

    @property
    def overrides_path(self) -> Path:
        """Where dynamic changes are kept, apart from the operator's file."""
        return Path(self.kv_config_path).with_name("namesrv.overrides.properties")

    def to_properties(self) -> dict[str, str]:
        """Key -> value in Java's spelling, sorted, for GET_NAMESRV_CONFIG (319) and `mqnamesrv -p`."""
        values = {item.metadata["key"]: _java_text(getattr(self, item.name)) for item in fields(self)}
        return dict(sorted(values.items()))


def _java_text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
