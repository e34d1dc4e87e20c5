# SPDX-License-Identifier: Apache-2.0
"""`mqbroker [-n ADDRESSES] [-c FILE] [-p] [-m] [--rebuild-from ADDRESS]` (Apache's BrokerStartup).

What the file leaves out is taken from the machine, as Apache takes it: brokerName is the host's name, brokerIP1 the
address by which this host reaches others (or bindAddress, where that is one address), the store is ~/store, and
NAMESRV_ADDR stands in for -n.
"""

from __future__ import annotations

import argparse
import os
import random
import socket
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..broker.broker_config import BrokerConfig, java_text, without_secrets
from ..broker.broker_controller import BrokerController, BrokerEnvironment
from ..store.errors import StoreError
from ..topology import boot_line
from ..topology.address import is_wildcard
from ..topology.kind import Kind
from ..topology.limits import NAME
from ..topology.properties import render
from .process_limits import memory_bytes, server_limits
from .server_process import ServerProcess, StartError
from .settings_file import read_settings
from .tls_files import load_tls, watch

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..runtime import AsyncioReactor, SystemDisk
    from ..topology.settings import Value

# What `-m` shows: what tells one broker from another.
IMPORTANT_KEYS = (
    "brokerClusterName",
    "brokerName",
    "brokerId",
    "brokerRole",
    "brokerIP1",
    "brokerIP2",
    "listenPort",
    "haListenPort",
    "namesrvAddr",
    "storePathRootDir",
    "flushDiskType",
    "inSyncReplicas",
    "slaveReadEnable",
    "autoCreateTopicEnable",
)
# Never asked for anything: connecting a datagram socket only makes the system choose the way there.
_SOMEWHERE = ("192.0.2.1", 9)


def main(argv: Sequence[str]) -> int:
    options = _parser().parse_args(argv)
    process = ServerProcess(Kind.BROKER)
    if options.printConfigItem or options.printImportantConfig:
        return _print_config(options)

    def make(reactor: AsyncioReactor, disk: SystemDisk) -> _Broker:
        broker = _Broker(read_broker_settings(options), reactor, disk, process.fail, rebuild_from=options.rebuildFrom)
        process.name(f"{broker.config.broker_name}-{broker.config.broker_id}")
        return broker

    return process.run(make)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("mqbroker", description="Start a broker.", allow_abbrev=False)
    parser.add_argument("-n", "--namesrvAddr", help="name servers, eg: '192.0.2.11:9876;192.0.2.12:9876'")
    parser.add_argument("-c", "--configFile", help="broker config properties file")
    parser.add_argument("-p", "--printConfigItem", action="store_true", help="print all settings in force and end")
    parser.add_argument("-m", "--printImportantConfig", action="store_true", help="print the important ones and end")
    parser.add_argument(
        "--rebuild-from",
        dest="rebuildFrom",
        default="",
        metavar="ADDRESS",
        help="a master whose store is empty gets everything from the slave at this address first, eg: 192.0.2.22:10911",
    )
    return parser


def read_broker_settings(options: argparse.Namespace) -> dict[str, Value]:
    """Raises StartError."""
    given = {}
    if options.namesrvAddr is not None:
        given["namesrvAddr"] = (options.namesrvAddr, "-n")
    values = read_settings(Kind.BROKER, options.configFile, given)
    if "namesrvAddr" not in values and os.environ.get("NAMESRV_ADDR"):
        given["namesrvAddr"] = (os.environ["NAMESRV_ADDR"], "NAMESRV_ADDR")
        values |= read_settings(Kind.BROKER, None, given)
    bound = str(values.get("bindAddress", ""))
    values.setdefault("brokerIP1", bound if bound and not is_wildcard(bound) else _own_address())
    values.setdefault("brokerName", _host_name())
    values.setdefault("storePathRootDir", str(Path.home() / "store"))
    values.setdefault("rocketmqHome", os.environ.get("ROCKETMQ_HOME", ""))
    return values


def _own_address() -> str:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(_SOMEWHERE)
            return str(probe.getsockname()[0])
        except OSError:
            # No route to anywhere: this host is alone.
            return "127.0.0.1"


def _host_name() -> str:
    name = socket.gethostname()
    return name if NAME.fullmatch(name) else "DEFAULT_BROKER"


def _disk_space(path: str) -> tuple[int, int]:
    """(total, free) bytes, as brokerStatus prints them: Apache counts blocks that only root may use as free here."""
    status = os.statvfs(path)
    return status.f_blocks * status.f_frsize, status.f_bfree * status.f_frsize


def _print_config(options: argparse.Namespace) -> int:
    try:
        values = read_broker_settings(options)
        settings = BrokerConfig.from_settings(values).to_properties()
    except (StartError, ValueError) as error:
        print(error, file=sys.stderr)  # noqa: T201
        return 1
    settings |= {key: java_text(value) for key, value in values.items()}
    settings = without_secrets(settings)
    shown = {key: settings[key] for key in IMPORTANT_KEYS if key in settings}
    print(render(dict(sorted((settings if options.printConfigItem else shown).items()))), end="")  # noqa: T201
    return 0


class _Broker:
    """`server_process.Server`."""

    def __init__(
        self,
        settings: dict[str, Value],
        reactor: AsyncioReactor,
        disk: SystemDisk,
        on_fatal: Callable[[str], None],
        *,
        rebuild_from: str,
    ) -> None:
        limits = server_limits()
        idle_s = settings.get("serverChannelMaxIdleTimeSeconds")
        if isinstance(idle_s, int):
            limits = replace(limits, idle_ms=idle_s * 1000)
        backlog = settings.get("serverSocketBacklog")
        if isinstance(backlog, int):
            reactor.listen_backlog = backlog
        self._tls = load_tls(settings)
        environment = BrokerEnvironment(
            reactor,
            disk,
            random.Random(),
            memory_bytes(),
            limits,
            _disk_space,
            listener_tls=self._tls.server,
            outbound_tls=self._tls.outbound,
        )
        self._reactor = reactor
        self._rebuild_from = rebuild_from
        try:
            self._controller = BrokerController(settings, environment, on_fatal=on_fatal)
        except ValueError as error:
            raise StartError(str(error)) from None

    @property
    def config(self) -> BrokerConfig:
        return self._controller.config

    def start(self) -> str:
        try:
            self._controller.load()
        except (StoreError, OSError) as error:
            raise StartError(str(error)) from None
        why = self._prepare()
        if not why:
            try:
                self._controller.start()
            except OSError as error:
                why = error.strerror or str(error)
        if why:
            # Loaded, so it has to be put away properly: an abort file would say that it crashed.
            self._controller.shutdown(self._reactor.stop)
            self._reactor.run()
            raise StartError(why)
        watch(self._reactor, self._tls)
        return boot_line.write_broker(self.config.broker_name, self.config.broker_addr, self.config.namesrv_addr)

    def _prepare(self) -> str:
        """Runs the loop until it is known whether this broker may serve; returns why not."""
        outcome: list[str] = []

        def done(why: str) -> None:
            outcome.append(why)
            self._reactor.stop()

        self._reactor.call_soon(lambda: self._controller.prepare(done, rebuild_from=self._rebuild_from))
        self._reactor.run()
        return outcome[0] if outcome else "stopped before it was up"

    def is_ready(self) -> bool:
        return bool(self._controller.registered_name_servers) or not self.config.name_servers

    def stop(self, stopped: Callable[[], None]) -> None:
        self._controller.shutdown(stopped)
