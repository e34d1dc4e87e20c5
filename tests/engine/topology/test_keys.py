# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from rmq.topology.keys import KEYS, KEYS_OF
from rmq.topology.keys_table import ROWS
from rmq.topology.kind import Kind

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize("tool", ["gen_keys.py", "gen_settings_doc.py"])
def test_generated_file_is_current(tool: str) -> None:
    done = subprocess.run([sys.executable, str(ROOT / "tools" / tool), "--check"], check=False, timeout=30)
    assert done.returncode == 0, f"run tools/{tool}"


def test_registry_has_all_512_settable_keys() -> None:
    assert len(ROWS) == 512
    assert {row[1] for row in ROWS} <= set(KEYS)


def test_key_of_two_classes_is_one_key_with_the_default_of_the_start_up() -> None:
    assert KEYS_OF[Kind.BROKER]["listenPort"].java_classes == ("BrokerConfig", "NettyServerConfig")
    assert KEYS_OF[Kind.BROKER]["listenPort"].default == "10911"
    assert KEYS_OF[Kind.NAMESRV]["listenPort"].default == "9876"
