# SPDX-License-Identifier: Apache-2.0
"""The body of 907, as Apache's mqadmin haStatus reads it."""

from __future__ import annotations

import json
from pathlib import Path

from rmq.broker.ha_status import ha_status_body
from rmq.store.ha import HaClientRuntimeInfo, HaConnectionRuntimeInfo, HaRuntimeInfo

GOLDEN = Path(__file__).parents[1] / "data" / "golden-5.4.0.json"


def test_a_master_without_slaves_answers_apaches_bytes() -> None:
    exchanges = json.loads(GOLDEN.read_text())["exchanges"]
    (golden,) = (one["response_body"] for one in exchanges if one["name"] == "ha_status_907")
    info = HaRuntimeInfo(master=True, master_commit_log_max_offset=2387)
    assert ha_status_body(info).decode() == golden


def test_a_master_shows_each_slave_and_how_far_behind_it_is() -> None:
    slave = HaConnectionRuntimeInfo("192.0.2.22:40001", 900, 100, True, 77, 950)
    body = json.loads(ha_status_body(HaRuntimeInfo(True, 1000, 1, (slave,))))
    assert body["inSyncSlaveNums"] == 1
    assert body["haConnectionInfo"] == [
        {
            "addr": "192.0.2.22:40001",
            "diff": 100,
            "inSync": True,
            "slaveAckOffset": 900,
            "transferFromWhere": 950,
            "transferredByteInSecond": 77,
        }
    ]


def test_a_slave_shows_its_master_and_its_own_end() -> None:
    client = HaClientRuntimeInfo("192.0.2.21:10912", 5, 1000, 123, 456)
    body = json.loads(ha_status_body(HaRuntimeInfo(master=False, ha_client_runtime_info=client)))
    assert body["master"] is False
    assert body["haClientRuntimeInfo"] == {
        "lastReadTimestamp": 123,
        "lastWriteTimestamp": 456,
        "masterAddr": "192.0.2.21:10912",
        "masterFlushOffset": 0,
        "maxOffset": 1000,
        "transferredByteInSecond": 5,
    }
