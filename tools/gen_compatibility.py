# SPDX-License-Identifier: Apache-2.0
"""Write docs/COMPATIBILITY.md from what the interop tests run and from what they have measured.

tools/gen_compatibility.py            writes docs/COMPATIBILITY.md
tools/gen_compatibility.py --check    exits 1 when that file is not what this script would write
"""

from __future__ import annotations

import sys
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "plugins" / "module_utils"), str(ROOT / "src"), str(ROOT)]

from tests.engine.test_request_coverage import BROKER_A, BROKER_B, NAMESRV_A, NAMESRV_B  # noqa: E402
from tests.interop.harness.codes import recorded  # noqa: E402
from tests.interop.programs.cases import CASES, CLIENTS, DIFFERENCES, PENDING, Case  # noqa: E402

from rmq.remoting.codes import RequestCode  # noqa: E402

TARGET = ROOT / "docs" / "COMPATIBILITY.md"
ENGINES = ("python", "apache")
TIERS = {"broker": (("A", BROKER_A), ("B", BROKER_B)), "namesrv": (("A", NAMESRV_A), ("B", NAMESRV_B))}
TITLES = {"broker": "broker", "namesrv": "name server"}
# Beyond this a cell counts the others: every consumer beats its heart.
_ASKERS_SHOWN = 6

HEAD = """<!-- SPDX-License-Identifier: Apache-2.0 -->
<!-- Made by tools/gen_compatibility.py from tests/interop, not by hand. -->
# Compatibility

Does my program work with it? Programs written against the public API of official clients run on this engine and on
Apache's 5.4.0 in each change's tests, and have to print the same on both. What each of them does, line by line, is in
[cases.py](../tests/interop/programs/cases.py); what it prints in
[expected/](../tests/interop/programs/expected). To see it on your own machine: `make programs`.
"""


def table(header: tuple[str, ...], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, tuple("---" for _ in header), *rows]
    return "".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |\n" for line in lines)


class Footnotes:
    """Reasons, each once, numbered in the order in which cells refer to them."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    def mark(self, reason: str) -> str:
        return f"<sup>{self._numbers.setdefault(reason, len(self._numbers) + 1)}</sup>"

    def text(self) -> str:
        return "".join(f"{number}. {reason}\n" for reason, number in self._numbers.items())


def cell(case: Case, client: str, engine: str, notes: Footnotes) -> str:
    if client in case.cannot:
        return "-" + notes.mark(case.cannot[client])
    if engine == "python" and case.name in PENDING:
        return "to come" + notes.mark(PENDING[case.name])
    difference = DIFFERENCES.get((case.name, client, engine))
    if difference is not None:
        return "[differs](../tests/interop/differences.md#" + difference + ")"
    return "yes"


def programs() -> str:
    notes = Footnotes()
    rows = [
        (f"`{case.name}`", case.title, *(cell(case, client, engine, notes) for client in CLIENTS for engine in ENGINES))
        for case in CASES
    ]
    header = ("case", "what", *(f"{client} on {engine}" for client in CLIENTS for engine in ENGINES))
    text = """
yes: the same transcript as everywhere. differs: on purpose, with the reason. -: the client cannot, with the reason.

"""
    return "\n## Programs\n" + text + table(header, rows) + "\n" + notes.text()


def askers() -> dict[tuple[str, int], list[str]]:
    """For a server and a code: the cases, and the files of other tests, that were seen to ask it."""
    found: dict[tuple[str, int], set[str]] = defaultdict(set)
    for asker, servers in recorded().items():
        for server, codes in servers.items():
            for code in codes:
                found[server, code].add(asker.rpartition(" ")[2])
    return {key: sorted(names) for key, names in found.items()}


def uncovered() -> list[tuple[str, int]]:
    """Codes of both tiers that are answered, but that no interop test asks."""
    seen = askers()
    return [
        (server, code)
        for server, tiers in TIERS.items()
        for _, codes in tiers
        for code in codes
        if (server, code) not in seen
    ]


def _by_whom(server: str, code: int, seen: dict[tuple[str, int], list[str]]) -> str:
    names = seen.get((server, code), [])
    if not names:
        return "engine tests alone"
    shown = ", ".join(f"`{name}`" for name in names[:_ASKERS_SHOWN])
    return shown + (f" and {len(names) - _ASKERS_SHOWN} more" if len(names) > _ASKERS_SHOWN else "")


def request_codes() -> str:
    seen = askers()
    rows = [
        (str(code), RequestCode(code).name, TITLES[server], tier, _by_whom(server, code, seen))
        for server, tiers in TIERS.items()
        for tier, codes in tiers
        for code in sorted(codes)
    ]
    text = """
What official clients, mqadmin and brokers of 5.4.0 ask in the four modes (A), and what else is good to have (B). The
last column was measured: each code came to the Python engine in that case, or in that file of tests/interop, and the
next run fails where it does not come any more.

"""
    return "\n## Request codes\n" + text + table(("code", "name", "server", "tier", "asked by"), rows)


def rendered() -> str:
    return HEAD + programs() + request_codes()


def main(arguments: list[str]) -> int:
    text = rendered()
    if arguments == ["--check"]:
        return 0 if TARGET.read_text(encoding="utf-8") == text else 1
    TARGET.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
