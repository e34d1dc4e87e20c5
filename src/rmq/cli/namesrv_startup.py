# SPDX-License-Identifier: Apache-2.0
"""`mqnamesrv [-c FILE] [-p]` (Apache's NamesrvStartup)."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from ..namesrv.namesrv_config import NamesrvConfig
from ..namesrv.namesrv_controller import NamesrvController, NamesrvError
from ..topology import boot_line
from ..topology.kind import Kind
from ..topology.properties import render
from .process_limits import server_limits
from .server_process import ServerProcess, StartError
from .settings_file import read_settings
from .tls_files import Tls, load_tls, watch

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ..runtime import AsyncioReactor, SystemDisk
    from ..topology.settings import Value

# What brokers and clients were answered gets so long to leave before the process does.
GOODBYE_MS = 500


def main(argv: Sequence[str]) -> int:
    options = _parser().parse_args(argv)
    process = ServerProcess(Kind.NAMESRV)
    process.name("namesrv")
    if options.printConfigItem:
        return _print_config(options.configFile)

    def make(reactor: AsyncioReactor, disk: SystemDisk) -> _NameServer:
        settings = read_settings(Kind.NAMESRV, options.configFile, {})
        return _NameServer(config_of(settings), load_tls(settings), reactor, disk)

    return process.run(make)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("mqnamesrv", description="Start a name server.", allow_abbrev=False)
    parser.add_argument("-c", "--configFile", help="name server config properties file")
    parser.add_argument("-n", "--namesrvAddr", help="accepted for compatibility; a name server knows no other")
    parser.add_argument("-p", "--printConfigItem", action="store_true", help="print all settings in force and end")
    return parser


def config_of(settings: Mapping[str, Value]) -> NamesrvConfig:
    """Raises StartError."""
    values = {"rocketmqHome": os.environ.get("ROCKETMQ_HOME", ""), **settings}
    try:
        return NamesrvConfig.from_settings(values, home=Path.home())
    except ValueError as error:
        raise StartError(str(error)) from None


def _print_config(file: str | None) -> int:
    try:
        text = render(config_of(read_settings(Kind.NAMESRV, file, {})).to_properties())
    except StartError as error:
        print(error, file=sys.stderr)  # noqa: T201
        return 1
    print(text, end="")  # noqa: T201
    return 0


class _NameServer:
    """`server_process.Server`."""

    def __init__(self, config: NamesrvConfig, tls: Tls, reactor: AsyncioReactor, disk: SystemDisk) -> None:
        self._config = config
        self._tls = tls
        self._reactor = reactor
        reactor.listen_backlog = config.server_socket_backlog
        self._controller = NamesrvController(config, reactor, disk, limits=server_limits(), tls=tls.server)

    def start(self) -> str:
        try:
            self._controller.load()
            self._controller.start()
        except NamesrvError as error:
            raise StartError(str(error)) from None
        watch(self._reactor, self._tls)
        return boot_line.write_namesrv(f"{self._config.listen_hosts[0]}:{self._config.listen_port}")

    def is_ready(self) -> bool:
        return True

    def stop(self, stopped: Callable[[], None]) -> None:
        self._controller.shutdown()
        self._reactor.call_later(GOODBYE_MS if self._controller.server.channels else 0, stopped)
