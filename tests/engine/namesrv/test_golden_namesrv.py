# SPDX-License-Identifier: Apache-2.0
"""Apache's own frames, asked of our name server: the answers are Apache's byte for byte."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.engine.namesrv.harness import NameServer

from rmq.remoting.bodies import TopicList
from rmq.remoting.frame import FrameDecoder

if TYPE_CHECKING:
    from rmq.remoting.command import RemotingCommand

_DATA = Path(__file__).parents[1] / "data" / "golden-5.4.0.json"
EXCHANGES = {each["name"]: each for each in json.loads(_DATA.read_text())["exchanges"] if each.get("to") == "namesrv"}


@pytest.fixture
def server() -> NameServer:
    server = NameServer()
    broker = server.broker()
    broker.address = "127.0.0.1:12311"
    assert broker.register().code == 0
    return server


def exchange(server: NameServer, name: str) -> tuple[RemotingCommand, bytes]:
    """Our answer to a captured request, and Apache's frame."""
    peer = server.client.peer
    peer.send_bytes(bytes.fromhex(EXCHANGES[name]["request_hex"]))
    return peer.frames[-1], bytes.fromhex(EXCHANGES[name]["response_hex"])


@pytest.mark.parametrize(
    "name",
    ["route_105_json", "route_105_standard_json", "route_105_binary_request", "route_105_missing", "cluster_106"],
)
def test_the_answer_is_apaches(server: NameServer, name: str) -> None:
    answer, golden = exchange(server, name)
    assert answer.encode() == golden


def test_the_topic_list_has_apaches_form(server: NameServer) -> None:
    answer, golden = exchange(server, "topic_list_206")
    (expected,) = FrameDecoder().feed(golden)
    assert TopicList.decode(answer.body).topic_list == ["TBW102", "TopicTest"]
    assert "TopicTest" in TopicList.decode(expected.body).topic_list
    expected.body = answer.body
    assert answer == expected


def test_every_captured_exchange_is_tried() -> None:
    assert len(EXCHANGES) == 6
