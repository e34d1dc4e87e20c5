# SPDX-License-Identifier: Apache-2.0
"""Which request codes the Python engine was asked, by whom: from the notes of noting_main.py to codes.json.

codes.json has a line for each asker: a program case (`java-5.4.0 plain`) or a file of tests (`test_mqadmin`), with the
codes for the broker and for the name server. `pytest tests/interop --record-codes` writes the lines of all that it ran.
"""

from __future__ import annotations

import json
from collections import defaultdict
from typing import TYPE_CHECKING

from ..programs.cases import CASES, CLIENTS
from .engine import ROOT
from .programs import prefix_of

if TYPE_CHECKING:
    from pathlib import Path

FILE = ROOT / "tests" / "interop" / "codes.json"
SERVERS = {"mqbroker": "broker", "mqnamesrv": "namesrv"}

# For one asker: server to codes.
Codes = dict[str, set[int]]

_ASKERS = {prefix_of(client) + case.name: f"{client} {case.name}" for client in CLIENTS for case in CASES}


def read_notes(directory: Path, other: str) -> dict[str, Codes]:
    """The codes by asker. `other` has asked what came on connections that serve no case, or more than one."""
    found: dict[str, Codes] = defaultdict(lambda: defaultdict(set))
    for file in directory.iterdir():
        server = SERVERS.get(file.name.rpartition("-")[0])
        if server is None:
            # The engine's own mqadmin is started through the same main.
            continue
        for codes, askers in _connections(file):
            asker = next(iter(askers)) if len(askers) == 1 else other
            found[asker][server] |= codes
    return {asker: dict(codes) for asker, codes in found.items()}


def _connections(file: Path) -> list[tuple[set[int], set[str]]]:
    """The codes of each connection, and for whom."""
    connections: dict[str, tuple[set[int], set[str]]] = defaultdict(lambda: (set(), set()))
    for line in file.read_text(encoding="ascii").splitlines():
        number, code, name = line.split(" ")
        codes, askers = connections[number]
        codes.add(int(code))
        if name in _ASKERS:
            askers.add(_ASKERS[name])
    return list(connections.values())


def recorded() -> dict[str, Codes]:
    table = json.loads(FILE.read_text(encoding="utf-8")) if FILE.exists() else {}
    return {asker: {server: set(codes) for server, codes in servers.items()} for asker, servers in table.items()}


def record(seen: dict[str, Codes]) -> None:
    """Replaces the lines of these askers."""
    table = recorded() | seen
    lines = [f"{json.dumps(asker)}: {_line(codes)}" for asker, codes in sorted(table.items())]
    FILE.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


def _line(codes: Codes) -> str:
    return json.dumps({server: sorted(codes[server]) for server in sorted(codes)})


def missing(seen: dict[str, Codes], asker: str) -> list[str]:
    """What was recorded for this asker and has not been asked now, as `server code`."""
    expected, asked = recorded().get(asker, {}), seen.get(asker, {})
    return [f"{server} {code}" for server in expected for code in sorted(expected[server] - asked.get(server, set()))]
