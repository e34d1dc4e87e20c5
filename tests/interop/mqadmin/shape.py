# SPDX-License-Identifier: Apache-2.0
"""What is left of an answer when everything is taken out that differs between two runs of one engine."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from .case import NUMBERS

if TYPE_CHECKING:
    from ..harness.client import MqadminResult
    from ..harness.cluster import Cluster
    from .case import Case

_REPLACED = (
    (r"[0-9A-F]{32,}", "<id>"),
    (r"\b\d{4}-\d\d-\d\d[ #T]\d\d:\d\d:\d\d([:,.]\d{1,3})?", "<time>"),
    (r"(?<![.\d])1[6-9]\d{11}\b", "<ms>"),
    (r"\b\d+ms\b", "<n>ms"),
    (r"\b\d+\.\d+\.\d+\.\d+(:\d+)?(@[\w#-]+)*", "<client>"),
    # Where a record is depends on what traces came between; its checksum covers when it was stored.
    (r"(?i)(commitlog ?offset|physicOffset|__CRC32#)(=|: +)\d+", r"\1\2<n>"),
    (r"@<id>@\d+", "@<id>@<n>"),
    (r"Consume TPS: \S+", "Consume TPS: <n>"),
    # The tool asks the brokers of a route in an order of chance.
    (r"BROKER: <broker-[ab]>", "BROKER: <one>"),
    # Java objects and classes without a name of their own.
    (r"@[0-9a-f]{5,8}\b", "@<hash>"),
    (r"\$\$Lambda\$\d+/0x[0-9a-f]+", "<lambda>"),
    (r"\b(\w+(?:Executor|Thread|Selector))_\d+", r"\1_<n>"),
)
_EXCEPTION = re.compile(r"^(Caused by: )?[\w.$]*(Exception|Error)\b")


def shape(case: Case, result: MqadminResult, files: list[str], cluster: Cluster) -> list[str]:
    """The lines of the answer (standard output, exceptions of standard error, files), sorted: maps have no order."""
    exceptions = [line for line in result.stderr.splitlines() if _EXCEPTION.match(line)]
    text = "\n".join([result.stdout, *exceptions, *files])
    text = plain(text, cluster)
    lines = sorted(_without_live_values(line, case) for line in text.splitlines() if line.strip())
    if case.sometimes:
        lines = [line for line in lines if not re.search(case.sometimes, line)]
    return sorted(set(lines)) if case.repeats else lines


def plain(text: str, cluster: Cluster) -> str:
    """Servers by their names, directories by their purpose."""
    for server in cluster.servers():
        text = text.replace(server.address, f"<{server.name}>")
        text = re.sub(rf"\b{server.address.rpartition(':')[2]}\b", f"<{server.name} port>", text)
    return text.replace(str(cluster.directory.parent), "<directory>")


def _without_live_values(line: str, case: Case) -> str:
    for pattern, name in _REPLACED:
        line = re.sub(pattern, name, line)
    if case.live:
        line = re.sub(case.live, "<n>", line)
    if case.live == NUMBERS:
        # How many windows a rate is given for depends on how long the broker has run.
        line = re.sub(r"<n>( <n>)+", "<n>", line)
    return re.sub(r"\s+", " ", line).strip()
