# SPDX-License-Identifier: Apache-2.0
"""docs/COMPATIBILITY.md is what its tables say, and no request code loses the case that asks for it."""

from __future__ import annotations

import subprocess
import sys

from tools import gen_compatibility


def test_the_document_is_current() -> None:
    tool = str(gen_compatibility.ROOT / "tools" / "gen_compatibility.py")
    done = subprocess.run([sys.executable, tool, "--check"], check=False, timeout=60)
    assert done.returncode == 0, "run tools/gen_compatibility.py"


def test_each_answered_code_is_asked_by_an_interop_test() -> None:
    assert gen_compatibility.uncovered() == []
