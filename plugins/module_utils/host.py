# Copyright: Contributors to the RocketMQ cluster collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What preflight looks at on a host: listeners and who holds them, addresses, Pythons, disks.  Linux, no commands but
the interpreters that are asked for their version."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import socket
import struct
import subprocess
import sys
from dataclasses import dataclass
from typing import Dict, Iterator, List, Optional, Tuple

# The engine's server half is written for this Python.
MINIMUM_PYTHON = (3, 11)
_NEWEST_PYTHON_MINOR = 15
_LISTEN = "0A"
_SIOCGIFADDR = 0x8915
# Bridges that container engines and hypervisors make on every machine alike: an address on them leads nowhere else.
_LOCAL_BRIDGES = ("docker", "virbr", "lxcbr", "lxdbr", "podman", "cni")
_PYTHON_ANSWER_S = 10


@dataclass(frozen=True)
class Listener:
    """A TCP socket that listens.

    ``pid`` is None where the holder is another user's and we may not look: not as root either inside a container,
    which leaves out the capability for that. ``uid``, the holder's user, is always to be had.
    """

    address: str
    port: int
    pid: Optional[int]
    uid: Optional[int] = None

    def holder(self) -> str:
        """Who it is, for an error message."""
        if self.pid is None:
            return f"a process of user {self.uid}"
        return f"process {self.pid} ({command_line(self.pid)})"


@dataclass(frozen=True)
class Python:
    path: str
    version: Tuple[int, int, int]

    def version_text(self) -> str:
        return ".".join(str(part) for part in self.version)


# ---- listeners ----------------------------------------------------------------------------------------------------


def listeners() -> List[Listener]:
    """All listening TCP sockets of this network namespace."""
    found = [row for table in ("tcp", "tcp6") for row in _socket_rows(table)]
    if not found:
        return []
    owners = _socket_owners()
    return [Listener(address, port, owners.get(inode), uid) for address, port, inode, uid in found]


def _socket_rows(table: str) -> Iterator[Tuple[str, int, str, int]]:
    try:
        with open(f"/proc/net/{table}") as rows:
            for row in rows:
                fields = row.split()
                # The heading has no state of this form.
                if fields[3] == _LISTEN:
                    address, port = fields[1].split(":")
                    yield _address_text(address), int(port, 16), fields[9], int(fields[7])
    except OSError:
        return


def _address_text(hexadecimal: str) -> str:
    """The kernel prints an address as 32-bit words in the machine's byte order."""
    words = [int(hexadecimal[at : at + 8], 16) for at in range(0, len(hexadecimal), 8)]
    packed = b"".join(struct.pack("=I", word) for word in words)
    if len(packed) == 4:
        return socket.inet_ntop(socket.AF_INET, packed)
    text = socket.inet_ntop(socket.AF_INET6, packed)
    return text[len("::ffff:") :] if text.startswith("::ffff:") else text


def _socket_owners() -> Dict[str, int]:
    owners: Dict[str, int] = {}
    for pid in _pids():
        try:
            for descriptor in os.listdir(f"/proc/{pid}/fd"):
                target = os.readlink(f"/proc/{pid}/fd/{descriptor}")
                if target.startswith("socket:["):
                    owners[target[len("socket:[") : -1]] = pid
        except OSError:
            continue
    return owners


def _pids() -> Iterator[int]:
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            yield int(entry)


def collides(wanted: str, listener: Listener) -> bool:
    """Whether binding ``wanted`` would meet this listener; a wildcard meets everything."""
    wildcards = ("0.0.0.0", "::")
    return wanted == listener.address or wanted in wildcards or listener.address in wildcards


# ---- processes ----------------------------------------------------------------------------------------------------


def command_line(pid: int) -> str:
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as source:
            return source.read(4096).replace(b"\0", b" ").decode("utf-8", "replace").strip() or "?"
    except OSError:
        return "?"


def user_of(pid: int) -> Optional[int]:
    """The real user id of a process; None where it is gone."""
    try:
        with open(f"/proc/{pid}/status") as source:
            return next(int(line.split()[1]) for line in source if line.startswith("Uid:"))
    except (OSError, StopIteration, ValueError):
        return None


def descends_from(pid: int, ancestor: int) -> bool:
    """Whether ``pid`` is ``ancestor`` or a child of it at any depth."""
    while pid > 1:
        if pid == ancestor:
            return True
        pid = _parent(pid)
    return False


def _parent(pid: int) -> int:
    try:
        with open(f"/proc/{pid}/stat", "rb") as source:
            # The command name may hold spaces and brackets; the fields after the last bracket do not.
            return int(source.read().rpartition(b")")[2].split()[1])
    except (OSError, ValueError, IndexError):
        return 0


# ---- addresses ----------------------------------------------------------------------------------------------------


def default_address() -> Optional[str]:
    """The address from which this host reaches others: that of its default route.  Nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return None
        return str(probe.getsockname()[0])


def is_local_address(address: str) -> bool:
    """Whether the address is one of this host's own."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((address, 0))
        except OSError as error:
            return error.errno not in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)
    return True


def local_bridge_of(address: str) -> Optional[str]:
    """The name of the container or hypervisor bridge that has this address."""
    for _index, name in socket.if_nameindex():
        if name.startswith(_LOCAL_BRIDGES) and _interface_address(name) == address:
            return name
    return None


def _interface_address(name: str) -> Optional[str]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        request = struct.pack("256s", name[:15].encode())
        try:
            answer = fcntl.ioctl(probe.fileno(), _SIOCGIFADDR, request)
        except OSError:
            return None
    return socket.inet_ntoa(answer[20:24])


# ---- Python -------------------------------------------------------------------------------------------------------


def find_python(wanted: str, private_folders: List[str]) -> Optional[Python]:
    """The engine's interpreter: ``wanted`` where given, else the newest that fits.

    ``private_folders`` hold interpreters that the service's user cannot reach.
    """
    if wanted:
        found = ask_python(wanted)
        return found if found and found.version >= MINIMUM_PYTHON else None
    fitting = [
        python
        for python in (ask_python(path) for path in _candidates())
        if python is not None
        and python.version >= MINIMUM_PYTHON
        and not any(os.path.realpath(python.path).startswith(folder) for folder in private_folders)
    ]
    # The first of equals: /usr/bin comes before what a user's PATH adds.
    return max(fitting, key=lambda python: python.version[:2], default=None)


def _candidates() -> List[str]:
    path = os.pathsep.join(["/usr/bin", "/usr/local/bin", os.environ.get("PATH", "")])
    names = [f"python3.{minor}" for minor in range(_NEWEST_PYTHON_MINOR, MINIMUM_PYTHON[1] - 1, -1)] + ["python3"]
    found = [shutil.which(name, path=path) for name in names]
    # Ansible's own interpreter may live in a virtual environment that goes away; what it was made from stays.
    return [candidate for candidate in found if candidate] + [getattr(sys, "_base_executable", sys.executable)]


def ask_python(path: str) -> Optional[Python]:
    """What an interpreter says of itself; None where it is none.  Follows version managers' wrapper scripts."""
    question = "import sys; print(getattr(sys, '_base_executable', sys.executable)); print(*sys.version_info[:3])"
    try:
        answer = subprocess.run(
            [path, "-I", "-S", "-c", question],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=_PYTHON_ANSWER_S,
            check=True,
        ).stdout.decode()
        executable, version = answer.splitlines()
        major, minor, micro = (int(part) for part in version.split())
    except (OSError, ValueError, subprocess.SubprocessError):
        return None
    return Python(executable or path, (major, minor, micro))


# ---- disks and the service manager --------------------------------------------------------------------------------


def nearest_folder(path: str) -> str:
    """The deepest folder of ``path`` that exists already."""
    path = os.path.abspath(path)
    while not os.path.isdir(path) and path != "/":
        path = os.path.dirname(path)
    return path


def free_bytes(path: str) -> int:
    """What an ordinary user may still write at ``path`` or, where it is not there yet, where it will be."""
    state = os.statvfs(nearest_folder(path))
    return state.f_bavail * state.f_frsize


def is_read_only(path: str) -> bool:
    return bool(os.statvfs(nearest_folder(path)).f_flag & os.ST_RDONLY)


def runs_systemd() -> bool:
    """Whether systemd is PID 1, as sd_booted(3) says."""
    return os.path.isdir("/run/systemd/system")
