# SPDX-License-Identifier: Apache-2.0
"""The words that tell nodes apart: kind, engine, mode."""

from __future__ import annotations

from enum import Enum


class Kind(str, Enum):
    """Which of the two programs a node runs or a file is for."""

    BROKER = "broker"
    NAMESRV = "namesrv"


class Engine(str, Enum):
    """Whose program it is."""

    PYTHON = "python"
    APACHE = "apache"


class Mode(str, Enum):
    """The four modes. The numbers are names, not limits: n masters, any number of slaves each."""

    SINGLE_MASTER = "single-master"
    NO_SLAVE = "2m-noslave"
    ASYNC = "2m-2s-async"
    SYNC = "2m-2s-sync"

    @property
    def has_slaves(self) -> bool:
        """Whether every master has at least one slave."""
        return self in (Mode.ASYNC, Mode.SYNC)

    @property
    def master_role(self) -> str:
        """``brokerRole`` of a master."""
        return "SYNC_MASTER" if self is Mode.SYNC else "ASYNC_MASTER"
