# SPDX-License-Identifier: Apache-2.0
"""Write the key registry of the shared half from the table that was read off Apache RocketMQ by reflection.

tools/gen_keys.py            writes plugins/module_utils/rmq/topology/keys_table.py
tools/gen_keys.py --check    exits 1 when that file is not what this script would write
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "tools" / "keys-5.4.0.tsv"
TARGET = ROOT / "plugins" / "module_utils" / "rmq" / "topology" / "keys_table.py"

HEAD = '''# SPDX-License-Identifier: Apache-2.0
"""Every settable key of Apache RocketMQ 5.4.0: class, key, Java type, default. Made by tools/gen_keys.py, not by hand.

Read by reflection on a machine with two cores; thread counts and pool sizes depend on the CPUs. HOME, HOSTNAME and
ADDRESS stand for the user's and the machine's own; ``null`` is Java's, ``?`` is not known.
"""

from __future__ import annotations

VERSION = "5.4.0"

ROWS = (
'''


def quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def rendered(table: str) -> str:
    rows = [line.split("\t") for line in table.splitlines() if line and not line.startswith("#")]
    lines = []
    for row in rows:
        java_class, name, java_type, default = [*row, ""][:4]
        if name == "key":
            continue
        lines.append("    (" + ", ".join(quoted(cell) for cell in (java_class, name, java_type, default)) + "),\n")
    return HEAD + "".join(lines) + ")\n"


def main(arguments: list[str]) -> int:
    text = rendered(SOURCE.read_text(encoding="utf-8"))
    if arguments == ["--check"]:
        return 0 if TARGET.read_text(encoding="utf-8") == text else 1
    TARGET.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
