# SPDX-License-Identifier: Apache-2.0
"""Write docs/SETTINGS.md from the tables that decide: keys, their use, defaults that differ, rules.

tools/gen_settings_doc.py            writes docs/SETTINGS.md
tools/gen_settings_doc.py --check    exits 1 when that file is not what this script would write
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "plugins" / "module_utils"), str(ROOT / "src")]

from rmq.broker.broker_controller import CHANGEABLE  # noqa: E402
from rmq.namesrv.namesrv_config import DYNAMIC_KEYS  # noqa: E402
from rmq.topology.derive import BOTH, DIFFERING  # noqa: E402
from rmq.topology.keys import VERSION, Key  # noqa: E402
from rmq.topology.kind import Engine, Kind  # noqa: E402
from rmq.topology.limits import CHOICES, FORMS, RANGES  # noqa: E402
from rmq.topology.python_engine import OWN, REFUSED, Use, use_of  # noqa: E402
from rmq.topology.rule import Rule  # noqa: E402
from rmq.topology.settings import known_keys  # noqa: E402

TARGET = ROOT / "docs" / "SETTINGS.md"
DYNAMIC = {Kind.BROKER: CHANGEABLE.keys, Kind.NAMESRV: DYNAMIC_KEYS}
PROGRAMS = {Kind.BROKER: "broker", Kind.NAMESRV: "name server"}

HEAD = f"""<!-- SPDX-License-Identifier: Apache-2.0 -->
<!-- Made by tools/gen_settings_doc.py from plugins/module_utils/rmq/topology, not by hand. -->
# Settings

Every key of Apache RocketMQ {VERSION} may stand in `broker.conf`, in the name server's file, in
`rocketmq_broker_config` and in `rocketmq_namesrv_config`, in RocketMQ's own spelling. Both engines are checked against
the same registry before they start: a key that does not exist, a value of the wrong type or out of range, a blank too
many is an error that names file, line, key, value and what to write instead.

The Python engine does one of three things with a key. It **honours** it; it **accepts it without effect** (Java's
thread counts and the like: listed once at start); or it **refuses** a value that asks for other data on disk, or for a
promise that this engine does not keep. Apache's own default is never refused, so a file that Apache's broker wrote
starts ours.

A key with "at once" changes while the server runs (`mqadmin updateBrokerConfig`, `updateNamesrvConfig`), checked as in
a file. What was changed so is kept in `broker.overrides.properties` (in `config/` under `storePathRootDir`) or
`namesrv.overrides.properties` (beside `kvConfig.json`), which the next start reads after the operator's file; that
file itself is never written. Every other key is refused with what to do, where Apache says success and changes nothing.
"""


def table(header: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [header, tuple("---" for _ in header), *rows]
    return "".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |\n" for line in lines)


def code(text: str) -> str:
    return f"`{text}`" if text else ""


def values_of(key: Key) -> str:
    """What a key takes beyond its Java type."""
    if key.name in CHOICES:
        return ", ".join(code(choice) for choice in CHOICES[key.name])
    if key.name in RANGES:
        low, high = RANGES[key.name]
        return f"{low} to {high}"
    return FORMS[key.name].expected if key.name in FORMS else ""


def differing() -> str:
    rows = []
    for item in DIFFERING:
        engines = "both" if item.engines == BOTH else ", ".join(engine.value for engine in item.engines)
        apache = known_keys(Engine.APACHE, Kind.BROKER)[item.key].default
        rows.append((code(item.key), item.value, code(apache), item.where, engines, item.reason))
    header = ("key", "ours", "Apache's", "where", "engines", "why")
    return "\n## Defaults that differ from Apache's\n\n" + table(header, rows)


def honoured(kind: Kind) -> str:
    keys = known_keys(Engine.PYTHON, kind)
    rows = []
    for name in sorted(keys, key=str.lower):
        if use_of(name, kind) is Use.HONOURED:
            key = keys[name]
            default = "" if key.default in ("null", "?") else key.default
            note = f"ours alone: {OWN[kind][name]}" if name in OWN[kind] else values_of(key)
            rows.append((code(name), key.java_type, code(default), "yes" if name in DYNAMIC[kind] else "", note))
    header = ("key", "type", "Apache's default", "at once", "values")
    return f"\n## Honoured by the Python engine: {PROGRAMS[kind]}\n\n" + table(header, rows)


def refused(kind: Kind) -> str:
    rows = []
    for name, refusal in sorted(REFUSED[kind].items(), key=lambda item: item[0].lower()):
        allowed = ", ".join(code(value) or "nothing" for value in refusal.allowed if value != "null")
        rows.append((code(name), allowed, refusal.why))
    header = ("key", "starts with", "other values are refused, because")
    return f"\n## Refused by the Python engine: {PROGRAMS[kind]}\n\n" + table(header, rows)


def accepted(kind: Kind) -> str:
    keys = known_keys(Engine.PYTHON, kind)
    names = [name for name in sorted(keys, key=str.lower) if use_of(name, kind) is Use.ACCEPTED]
    listed = ", ".join(code(name) for name in names)
    return f"\n## Accepted without effect by the Python engine: {PROGRAMS[kind]}\n\n{len(names)} keys: {listed}.\n"


def rules() -> str:
    rows = [(code(rule.slug), rule.value.replace("{", "*").replace("}", "*")) for rule in Rule]
    head = "What is checked before anything starts; the name is the one in the faults that the modules return."
    return f"\n## Rules\n\n{head}\n\n" + table(("name", "rule"), rows)


def rendered() -> str:
    parts = [HEAD, differing()]
    for kind in Kind:
        parts += [honoured(kind), refused(kind), accepted(kind)]
    return "".join([*parts, rules()])


def main(arguments: list[str]) -> int:
    text = rendered()
    if arguments == ["--check"]:
        return 0 if TARGET.read_text(encoding="utf-8") == text else 1
    TARGET.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
