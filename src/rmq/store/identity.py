# SPDX-License-Identifier: Apache-2.0
"""Refuses another broker's store: `config/identity.json`, whose content and rules are `topology.identity`'s."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..remoting import java_json
from ..topology import identity
from ..topology.fault import Fault
from .errors import StoreError

if TYPE_CHECKING:
    from pathlib import Path

    from ..env import Disk
    from .config import StoreConfig


def check_identity(disk: Disk, config: StoreConfig) -> None:
    """Compare, or write the file where there is none. Call it with the lock held. Raises StoreError, and OSError."""
    wanted = identity.Identity(config.cluster_name, config.broker_name, config.broker_id)
    path = config.root / identity.FILE_NAME
    if disk.exists(path):
        stored = identity.decode(disk.read_bytes(path), str(path))
        fault = stored if isinstance(stored, Fault) else identity.check(stored, wanted, str(path))
    else:
        topics = config.root / "config" / "topics.json"
        fault = identity.check_adoption(_topic_names(disk, topics), wanted, str(topics))
    if fault is not None:
        raise StoreError(fault.text())
    if not disk.exists(path):
        disk.replace_file(path, identity.encode(wanted))


def _topic_names(disk: Disk, path: Path) -> list[str]:
    """Names in an adopted store's topics.json; an unreadable file contradicts nothing, its owner reports it."""
    try:
        table = java_json.loads_bytes(disk.read_bytes(path))["topicConfigTable"]
        return [str(name) for name in table]
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return []
