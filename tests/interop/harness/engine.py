# SPDX-License-Identifier: Apache-2.0
"""The two engines: how each is started. All else is the same for both."""

from __future__ import annotations

import functools
import os
import re
import subprocess
import sys
from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING

from .tls import java_properties

if TYPE_CHECKING:
    from .tls import ServerTls

ROOT = Path(__file__).resolve().parents[3]
_JAVA_SOURCES = ROOT / "tests" / "interop" / "java"

# Both engines print Apache's lines.
NAMESRV_BOOT_LINE = re.compile(r"The Name Server boot success")
BROKER_BOOT_LINE = re.compile(r"The broker\[[^]]+\] boot success")


@functools.cache
def java_directory() -> Path:
    """Where the jars and the compiled client programs are; made by the set-up script when they are not there yet."""
    script = ROOT / "tools" / "setup-java.sh"
    done = subprocess.run([script], check=True, stdout=subprocess.PIPE, text=True)
    return Path(done.stdout.strip())


def java_argv(
    main: str, *, logback: str, options: tuple[str, ...], classes: str = "classes", jars: str = "lib"
) -> list[str]:
    """A command line for a class of Apache's jars or of the client programs."""
    java = java_directory()
    return [
        "java",
        *options,
        "-XX:-UsePerfData",
        f"-Drmq.logback.configurationFile={_JAVA_SOURCES / 'conf' / logback}",
        "-cp",
        f"{java}/{jars}/*:{java}/{classes}",
        main,
    ]


class Engine(ABC):
    """What the harness has to know of an engine."""

    name: str

    def __init__(self, tls: ServerTls | None = None) -> None:
        self.tls = tls

    @property
    def settings(self) -> dict[str, str]:
        """Keys that each server's file begins with."""
        return {}

    @abstractmethod
    def argv(self, server: str, directory: Path) -> list[str]:
        """The command of `mqnamesrv` or `mqbroker`; RocketMQ's own options follow it."""

    @abstractmethod
    def env(self, directory: Path) -> dict[str, str]:
        """What the command needs in its environment. Everything it writes stays under `directory`."""


class PythonEngine(Engine):
    name = "python"

    @property
    def settings(self) -> dict[str, str]:
        return {} if self.tls is None else self.tls.properties()

    def argv(self, server: str, directory: Path) -> list[str]:
        main = "tests.interop.harness.noting_main" if "INTEROP_NOTES" in os.environ else "rmq.cli.main"
        return [sys.executable, "-X", "faulthandler", "-m", main, server]

    def env(self, directory: Path) -> dict[str, str]:
        return {
            "PYTHONPATH": f"{ROOT / 'plugins' / 'module_utils'}:{ROOT / 'src'}:{ROOT}",
            "HOME": str(directory),
            "ROCKETMQ_HOME": str(directory / "home"),
        }


class ApacheEngine(Engine):
    name = "apache"

    _MAIN = {
        "mqnamesrv": "org.apache.rocketmq.namesrv.NamesrvStartup",
        "mqbroker": "org.apache.rocketmq.broker.BrokerStartup",
    }
    # Apache's scripts ask for 4 and 8 GiB; a cluster of six has to fit one small machine.
    _HEAP = ("-Xms512m", "-Xmx512m", "-XX:MaxDirectMemorySize=1g", "-XX:+UseSerialGC")

    def argv(self, server: str, directory: Path) -> list[str]:
        options: tuple[str, ...] = (*self._HEAP, f"-Duser.home={directory}")
        options += (f"-Dinterop.log={directory / 'server.log'}",)
        if self.tls is not None:
            options += (*java_properties(self.tls.properties()), "-Dtls.enable=true")
        return java_argv(self._MAIN[server], logback="server.logback.xml", options=options)

    def env(self, directory: Path) -> dict[str, str]:
        return {"ROCKETMQ_HOME": str(directory / "home")}


def secured(engine: Engine, tls: ServerTls) -> Engine:
    """The same engine, with TLS on the remoting ports and on the servers' calls to each other."""
    return type(engine)(tls)


ENGINES: dict[str, Engine] = {engine.name: engine for engine in (PythonEngine(), ApacheEngine())}
