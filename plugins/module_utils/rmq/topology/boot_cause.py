# SPDX-License-Identifier: Apache-2.0
"""Why a start failed, recognised from what the engines print: a table of patterns with the mend for each.

Apache's own texts as measured and read in 5.4.0; often it prints nothing at all (a read-only or wrong-sized store:
exit 253, stdout empty), so its store.log is worth reading too. The Python engine ends with one line
(`boot_line.write_failure`), which already says it all.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Optional, Pattern, Tuple

from . import boot_line


@dataclass(frozen=True)
class Cause:
    """One known cause: its short name, one line to read, what to do.

    ``fatal`` is false for trouble that a node lives through (a name server that does not answer): it explains a wait
    that ran out, but ends none.
    """

    name: str
    text: str
    mend: str
    fatal: bool = True


@dataclass(frozen=True)
class _Known:
    name: str
    pattern: Pattern[str]
    text: str
    mend: str
    fatal: bool = True


def _known(name: str, pattern: str, text: str, mend: str, *, fatal: bool = True) -> _Known:
    return _Known(name, re.compile(pattern), text, mend, fatal)


_PORT_MEND = "Stop what listens there, or move the node with rocketmq_listen_port"

_SIZE_MEND = "Set mappedFileSizeCommitLog and mappedFileSizeConsumeQueue to what the store was written with"

# First match wins, so what names more stands above what names less.
_KNOWN: Tuple[_Known, ...] = (
    _known(
        "port-in-use",
        r"Failed to bind to \S*?:(?P<port>[0-9]+)",
        "port {port} is in use",
        _PORT_MEND,
    ),
    _known(
        "port-in-use",
        r"bind on address \('[^']*', (?P<port>[0-9]+).*[Aa]ddress already in use",
        "port {port} is in use",
        _PORT_MEND,
    ),
    _known(
        "port-in-use",
        r"port (?P<port>[0-9]+) is (?:already )?in use",
        "port {port} is in use",
        _PORT_MEND,
    ),
    # Apache names no port when haListenPort is taken (measured).
    _known(
        "port-in-use",
        r"Address already in use",
        "a port is in use; Apache names none when it is haListenPort (listenPort+1 unless set)",
        _PORT_MEND,
    ),
    _known(
        "store-locked",
        r"(?:locked|lock is held|held) by (?:process|pid) (?P<pid>[0-9]+)",
        "process {pid} holds the store's lock",
        "Stop that process, or give the node a rocketmq_store_dir of its own",
    ),
    _known(
        "store-locked",
        r"Lock failed, ?MQ already started",
        "another broker holds the store's lock",
        "Stop that broker, or give the node a rocketmq_store_dir of its own",
    ),
    _known(
        "store-wrong-size",
        r"(?P<file>\S+)\s+(?P<size>[0-9]+) length not matched message store config value",
        "{file} has {size} bytes, which is not the configured file size",
        _SIZE_MEND,
    ),
    _known(
        "store-wrong-size",
        r"(?P<file>\S+): (?P<size>[0-9]+) bytes long, but files of this store have [0-9]+",
        "{file} has {size} bytes, which is not the configured file size",
        _SIZE_MEND,
    ),
    _known(
        "config",
        r"Slave's brokerId must be > 0",
        "a slave with brokerId 0",
        "Give it a rocketmq_broker_id above 0",
    ),
    _known(
        "config",
        r"The Name Server Address\[(?P<list>[^\]]*)\] illegal",
        "the name server list {list} cannot be read",
        "Write host:port, several with ; between",
    ),
    _known(
        "store-read-only",
        r"Read-only file system",
        "the store is on a read-only file system",
        "Mount it for writing, or move rocketmq_store_dir",
    ),
    _known(
        "disk-full",
        r"No space left on device",
        "the disk is full",
        "Free space, or move rocketmq_store_dir",
    ),
    _known(
        "no-permission",
        r"Permission denied|AccessDeniedException",
        "the node's user may not read or write one of its files",
        "Give store and log directory to rocketmq_user",
    ),
    _known(
        "no-memory",
        r"insufficient memory for the Java Runtime|Cannot allocate memory|OutOfMemoryError",
        "there is not enough memory",
        "Give the machine more, or the Java engine a smaller heap",
    ),
    _known(
        "no-java",
        r"Please set the JAVA_HOME variable|java: (?:command )?not found",
        "Java was not found",
        "Install a Java runtime, or set rocketmq_engine: python",
    ),
    _known(
        "no-home",
        r"Please set the ROCKETMQ_HOME variable",
        "ROCKETMQ_HOME is not set",
        "Start it by its own script or unit",
    ),
    _known(
        "namesrv-unreachable",
        r"connect to <?(?P<address>[^\s<>]+:[0-9]+)>? failed",
        "{address} does not answer",
        "Start that name server, or correct rocketmq_namesrv_addr",
        fatal=False,
    ),
    _known(
        "namesrv-unreachable",
        r"registerBroker(?:All)? Exception",
        "a name server did not take the registration",
        "Look at the name servers in rocketmq_namesrv_addr",
        fatal=False,
    ),
)


def cause_of(line: str) -> Optional[Cause]:
    """The known cause that this line of a log or a terminal shows, or None."""
    own_text = boot_line.failure_of(line)
    known = _known_in(own_text or line)
    if own_text:
        return Cause(known.name if known else "engine", own_text, known.mend if known else "")
    return known


def _known_in(text: str) -> Optional[Cause]:
    for known in _KNOWN:
        found = known.pattern.search(text)
        if found is not None:
            return Cause(known.name, known.text.format(**found.groupdict()), known.mend, known.fatal)
    return None
