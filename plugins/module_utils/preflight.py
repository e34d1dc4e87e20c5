# Copyright: Contributors to the RocketMQ cluster collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether one node fits on this host: every fault at once, nothing changed."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import List, Optional

from . import host
from .rmq.topology.fault import Fault

# Besides the files it asks for, a store needs room for its queues, its index and what arrives before anyone looks.
STORE_MARGIN_BYTES = 64 * 1024 * 1024
# Folders that ProtectHome= hides from a unit, and that another user could not read anyway.
PRIVATE_FOLDERS = ["/root/", "/home/"]


@dataclass(frozen=True)
class Port:
    """A port the node will listen on; ``variable`` is what moves it."""

    port: int
    addresses: List[str]
    purpose: str
    variable: str


@dataclass(frozen=True)
class Request:
    node: str
    addresses: List[str]
    ports: List[Port]
    folders: List[str]
    need_bytes: int
    python: str
    # The process that runs as this node already, with its children: its ports are its own.
    own_pid: Optional[int]
    # Systemd keeps the service's user away from private folders.
    systemd: bool


def faults(request: Request, python: Optional[host.Python]) -> List[Fault]:
    """All that keeps this node from running here."""
    return _address_faults(request) + _port_faults(request) + _folder_faults(request) + _python_faults(request, python)


def _address_faults(request: Request) -> List[Fault]:
    found = []
    for address in request.addresses:
        bridge = host.local_bridge_of(address)
        if not host.is_local_address(address):
            rule = f"no interface of this host has {address}"
        elif bridge:
            rule = f"{address} is this host's own bridge {bridge}, which no other host can reach"
        else:
            continue
        mend = (
            "Set rocketmq_address to an address of this host that brokers and clients reach; behind NAT, where that "
            "is meant, rocketmq_check_address: false"
        )
        found.append(Fault(request.node, f"rocketmq_address {address}", rule, mend, "address-on-host"))
    return found


def _port_faults(request: Request) -> List[Fault]:
    listening = host.listeners()
    found = []
    for port in request.ports:
        for listener in listening:
            if listener.port != port.port or not any(host.collides(a, listener) for a in port.addresses):
                continue
            if is_own(request, listener):
                continue
            found.append(
                Fault(
                    request.node,
                    f"port {port.port} ({port.purpose})",
                    f"{listener.holder()} listens on {listener.address}:{listener.port}",
                    f"Stop it, or move this node with {port.variable}",
                    "port-free",
                )
            )
            break
    return found


def is_own(request: Request, listener: host.Listener) -> bool:
    """Whether the node itself listens there, which runs already.

    Where the holder cannot be looked up, its user has to do: the nodes of one inventory never ask for the same port.
    """
    if request.own_pid is None:
        return False
    if listener.pid is None:
        return listener.uid is not None and listener.uid == host.user_of(request.own_pid)
    return host.descends_from(listener.pid, request.own_pid)


def _folder_faults(request: Request) -> List[Fault]:
    found = []
    for folder in request.folders:
        if host.is_read_only(folder):
            found.append(
                Fault(
                    request.node,
                    folder,
                    "lies on a file system that is mounted read-only",
                    "Mount it writable, or move the node with rocketmq_home, rocketmq_store_dir or rocketmq_log_dir",
                    "folder-writable",
                )
            )
        elif not os.access(host.nearest_folder(folder), os.W_OK | os.X_OK):
            found.append(
                Fault(
                    request.node,
                    folder,
                    f"{host.nearest_folder(folder)} is not writable for the user Ansible works as",
                    "Use become: true, or set rocketmq_home to a folder of this user",
                    "folder-writable",
                )
            )
    return found + _space_faults(request)


def _space_faults(request: Request) -> List[Fault]:
    if not request.need_bytes or not request.folders:
        return []
    store = request.folders[0]
    free, need = host.free_bytes(store), request.need_bytes + STORE_MARGIN_BYTES
    # A store that is there has its files already.
    if free >= need or os.path.isdir(os.path.join(store, "commitlog")):
        return []
    return [
        Fault(
            request.node,
            store,
            f"{free >> 20} MiB are free, a new store needs {need >> 20} MiB to begin with",
            "Free some, or set rocketmq_store_dir to a larger disk",
            "store-space",
        )
    ]


def _python_faults(request: Request, python: Optional[host.Python]) -> List[Fault]:
    if python is not None:
        return []
    least = ".".join(str(part) for part in host.MINIMUM_PYTHON)
    value = f"rocketmq_python {request.python}" if request.python else "rocketmq_python"
    reach = " outside of /root and /home, where the service's user can reach it," if request.systemd else ""
    return [
        Fault(
            request.node,
            value,
            f"the engine needs Python {least} or newer{reach} and there is none",
            "Install it (Debian 12: apt-get install python3; Ubuntu 22.04: apt-get install python3.11; RHEL 9: "
            "dnf install python3.11), or name one with rocketmq_python",
            "python-found",
        )
    ]
