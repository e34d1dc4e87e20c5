# SPDX-License-Identifier: Apache-2.0
"""docs/COMPATIBILITY.md is what its tables say, and no request code loses the case that asks for it."""

from __future__ import annotations

import subprocess
import sys

from tools import gen_compatibility

# Asked by no interop test so far. A code that one asks for leaves this list; none comes in.
UNASKED = {
    "broker": {200151},
    "namesrv": {322},
}


def test_the_document_is_current() -> None:
    tool = str(gen_compatibility.ROOT / "tools" / "gen_compatibility.py")
    done = subprocess.run([sys.executable, tool, "--check"], check=False, timeout=60)
    assert done.returncode == 0, "run tools/gen_compatibility.py"


def test_each_answered_code_is_asked_by_an_interop_test() -> None:
    asked_by_none = gen_compatibility.uncovered()
    assert asked_by_none == [(server, code) for server, codes in UNASKED.items() for code in sorted(codes)]
