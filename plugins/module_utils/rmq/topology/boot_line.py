# SPDX-License-Identifier: Apache-2.0
"""The line by which a node says that it is up, written and matched; and the line by which ours says that it is not.

    Apache 5.4.0    The broker[NAME, IP:PORT] boot success. serializeType=JSON and name server is A;B
    and ours        The Name Server boot success. serializeType=JSON, address IP:PORT
    the guide       The broker[NAME,IP:PORT] boot success...
                    The Name Server boot success...

In a log file the line follows a time stamp, a level and a thread, so it is looked for anywhere in a line. Answers to
Apache's `BrokerStartup` and `NamesrvStartup`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Optional

from .kind import Kind

_BROKER = re.compile(
    r"The broker\[(?P<name>[^\[\],]*), ?(?P<address>[^\[\],]*)\] boot success"
    r"(?:\. ?serializeType=(?P<serialize>[A-Z0-9_]+))?"
    r"(?:.*? and name server is (?P<namesrv>\S+))?"
)
_NAMESRV = re.compile(
    r"The Name Server boot success(?:\. ?serializeType=(?P<serialize>[A-Z0-9_]+))?(?:, address (?P<address>[^\s,]+))?"
)
_FAILURE = re.compile(r"The (?P<program>broker|Name Server) could not start: (?P<cause>.*)")
_PROGRAMS = {Kind.BROKER: "broker", Kind.NAMESRV: "Name Server"}


@dataclass(frozen=True)
class BootLine:
    """What a boot line says; an empty string where its form leaves something out."""

    kind: Kind
    broker_name: str
    address: str
    serialize_type: str
    namesrv_addr: str


def write_broker(broker_name: str, address: str, namesrv_addr: str = "", serialize_type: str = "JSON") -> str:
    """The line that a broker prints and logs; ``address`` is brokerIP1:listenPort."""
    tip = f"The broker[{broker_name}, {address}] boot success. serializeType={serialize_type}"
    return f"{tip} and name server is {namesrv_addr}" if namesrv_addr else tip


def write_namesrv(address: str, serialize_type: str = "JSON") -> str:
    """The line that a name server prints and logs; ``address`` is bindAddress:listenPort."""
    return f"The Name Server boot success. serializeType={serialize_type}, address {address}"


def write_failure(kind: Kind, cause: str) -> str:
    """The last line of a start that failed: one line, which `failure_of` gives back to whoever waits for the start."""
    return f"The {_PROGRAMS[kind]} could not start: {' '.join(cause.split())}"


def match(line: str) -> Optional[BootLine]:
    """The boot line in this line of a log or a terminal, in any of the four forms, or None."""
    found = _BROKER.search(line)
    if found is not None:
        return BootLine(
            Kind.BROKER,
            found["name"].strip(),
            found["address"].strip(),
            found["serialize"] or "",
            found["namesrv"] or "",
        )
    found = _NAMESRV.search(line)
    if found is not None:
        return BootLine(Kind.NAMESRV, "", found["address"] or "", found["serialize"] or "", "")
    return None


def failure_of(line: str) -> str:
    """The cause in a line of `write_failure`, or an empty string."""
    found = _FAILURE.search(line)
    return found["cause"].strip() if found is not None else ""
