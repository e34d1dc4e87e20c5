# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from rmq.topology.keys import KEYS, KEYS_OF
from rmq.topology.keys_table import ROWS
from rmq.topology.kind import Kind

ROOT = Path(__file__).resolve().parents[3]


def test_generated_table_is_current() -> None:
    done = subprocess.run([sys.executable, str(ROOT / "tools" / "gen_keys.py"), "--check"], check=False, timeout=30)
    assert done.returncode == 0


def test_registry_has_all_512_settable_keys() -> None:
    assert len(ROWS) == 512
    assert {row[1] for row in ROWS} <= set(KEYS)


def test_key_of_two_classes_is_one_key_with_the_default_of_the_start_up() -> None:
    assert KEYS_OF[Kind.BROKER]["listenPort"].java_classes == ("BrokerConfig", "NettyServerConfig")
    assert KEYS_OF[Kind.BROKER]["listenPort"].default == "10911"
    assert KEYS_OF[Kind.NAMESRV]["listenPort"].default == "9876"
