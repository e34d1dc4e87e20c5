# SPDX-License-Identifier: Apache-2.0
"""The name server as a whole (Apache's NamesrvController): load, start, shut down."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..dynamic.setting_overrides import OverridesError
from ..rpc import RemotingServer, ServerLimits
from .dynamic_config import DynamicConfig
from .kv_config_manager import KVConfigError, KVConfigManager
from .processor import BrokerProcessor, ConfigProcessor, KVConfigProcessor, RouteProcessor
from .registration_networks import RegistrationNetworks
from .route_info_manager import RouteInfoManager

if TYPE_CHECKING:
    from ..env import Disk, ListenerTls, Reactor, Timer
    from .namesrv_config import NamesrvConfig


class NamesrvError(Exception):
    """The name server cannot start; the text is the cause in one line."""


class NamesrvController:
    """load(), then start(), then shutdown(); each once."""

    def __init__(
        self,
        config: NamesrvConfig,
        reactor: Reactor,
        disk: Disk,
        log: logging.Logger | None = None,
        *,
        limits: ServerLimits | None = None,
        tls: ListenerTls | None = None,
    ) -> None:
        log = log if log is not None else logging.getLogger("rmq.namesrv")
        self._reactor = reactor
        self._config = DynamicConfig(config, disk, reactor, log)
        self._kv_config = KVConfigManager(Path(config.kv_config_path), disk, reactor, log)
        self.routes = RouteInfoManager(reactor.clock, log)
        limits = replace(limits or ServerLimits(), idle_ms=config.server_channel_max_idle_time_s * 1000)
        self.server = RemotingServer(reactor, limits=limits, log=log, tls=tls)
        self.server.on_channel_closed(self.routes.channel_closed)
        self._scan_timer: Timer | None = None
        networks = RegistrationNetworks(config.registration_networks)
        BrokerProcessor(self.routes, self._kv_config, self._config, networks).register(self.server)
        RouteProcessor(self.routes, self._kv_config, self._config).register(self.server)
        KVConfigProcessor(self._kv_config).register(self.server)
        ConfigProcessor(self._config, networks).register(self.server)

    @property
    def config(self) -> NamesrvConfig:
        return self._config.current

    def load(self) -> None:
        """Blocks. Raises NamesrvError."""
        try:
            self._config.load()
            self._kv_config.load()
        except (OverridesError, KVConfigError) as error:
            raise NamesrvError(str(error)) from None

    def start(self) -> None:
        """Listen. Raises NamesrvError that names the address which cannot be had."""
        try:
            for host in self.config.listen_hosts:
                self.server.listen(host, self.config.listen_port)
        except OSError as error:
            self.server.stop_listening()
            raise NamesrvError(error.strerror or str(error)) from None
        self._scan()

    def shutdown(self) -> None:
        if self._scan_timer is not None:
            self._scan_timer.cancel()
            self._scan_timer = None
        self.server.close()

    def _scan(self) -> None:
        self.routes.scan_not_active_broker()
        self._scan_timer = self._reactor.call_later(self.config.scan_not_active_broker_interval_ms, self._scan)
