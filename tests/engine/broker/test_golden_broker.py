# SPDX-License-Identifier: Apache-2.0
"""The exchanges that were recorded with Apache's broker 5.4.0, replayed against ours in the same order.

Headers must be equal field by field, bodies as JSON values. What cannot be equal is named here: times, what a broker
makes up (UNIQ_KEY), the port of the client, and how far the check of transactions had come.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tests.engine.broker.harness import Broker, Client
from tests.engine.remoting.golden import EXCHANGES, Exchange

from rmq.remoting.frame import FrameDecoder
from rmq.remoting.java_json import ObjectKeyed, loads_bytes
from rmq.remoting.message import decode_records, parse_offset_message_id

if TYPE_CHECKING:
    from rmq.remoting.command import RemotingCommand

NAMES = [
    "create_topic_17",
    "send_v2_310_json",
    "send_v2_310_binary",
    "send_v1_10",
    "send_batch_320",
    "send_delay_310",
    "send_half_310",
    "end_transaction_37_commit",
    "send_bad_topic",
    "send_bad_queue",
    "unknown_code",
    "heartbeat_34",
    "consumer_list_38",
    "pull_11_found",
    "pull_11_not_found_19",
    "pull_11_offset_moved_21",
    "pull_11_no_match_20",
    "update_offset_15",
    "query_offset_14",
    "query_offset_14_missing_22",
    "max_offset_30",
    "min_offset_31",
    "search_offset_29",
    "earliest_32",
    "view_33",
    "query_msg_12",
    "lock_41",
    "unlock_42",
    "send_back_36",
    "topic_config_21",
    "all_offsets_43",
    "all_delay_45",
    "all_groups_201",
    "topic_stats_202",
    "consume_stats_208",
    "consumer_conn_203",
    "producer_conn_204",
    "ha_status_907",
    "unregister_client_35",
    "timer_checkpoint_60",
]

#: extFields that this broker makes up, or that depend on how long the records before are.
LIVE_FIELDS = {
    "send_v2_310_binary": {"transactionId"},
    "send_v1_10": {"transactionId", "msgId"},
    "send_batch_320": {"msgId"},
    "send_delay_310": {"transactionId", "msgId"},
    "send_half_310": {"msgId"},
    "earliest_32": {"timestamp"},
    "query_msg_12": {"indexLastUpdatePhyoffset", "indexLastUpdateTimestamp"},
}

#: Numbers in bodies and remarks that are times or follow from what the recording had stored beside.
LIVE_KEYS = {"timestamp", "lastUpdateTimestamp", "lastTimestamp", "counter", "masterCommitLogMaxOffset", "clientAddr"}


#: Where the half message of the recording is in the log, as the request that ends it says.
HALF_PLACE = b'"commitLogOffset": "1174"'


def _replay(client: Client, exchange: Exchange, half_place: int = 0) -> RemotingCommand:
    own_place = HALF_PLACE.replace(b"1174", b"%d" % half_place)
    client.peer.send_bytes(exchange.request.replace(HALF_PLACE, own_place) if half_place else exchange.request)
    opaque = exchange.response_header["opaque"]
    # What a thread looks for comes a moment later.
    client.world.settle()
    answers = [frame for frame in client.peer.frames if frame.is_response and frame.opaque == opaque]
    assert len(answers) == 1, exchange.name
    return answers[0]


@pytest.fixture(scope="module")
def answers() -> dict[str, RemotingCommand]:
    """All answers, by name."""
    broker = Broker({"enabledAppendPropCRC": False})
    client = broker.client("127.0.0.1")
    found: dict[str, RemotingCommand] = {}
    for name in NAMES:
        half_place = 0
        if name == "heartbeat_34":
            # The recording waited here until the delayed message had come back.
            broker.world.run_for(3_000)
        elif name == "end_transaction_37_commit":
            _, half_place = parse_offset_message_id(found["send_half_310"].ext_fields["msgId"])
            assert 1000 <= half_place < 10_000, "as many digits as the recording's, or the frame's length is wrong"
        found[name] = _replay(client, EXCHANGES[name], half_place)
    return found


@pytest.mark.parametrize("name", NAMES)
def test_header_is_apaches(name: str, answers: dict[str, RemotingCommand]) -> None:
    ours = _header(answers[name])
    theirs = dict(EXCHANGES[name].response_header)
    if not theirs.get("extFields"):
        theirs.pop("extFields", None)
    live = LIVE_FIELDS.get(name, set())
    for header in (ours, theirs):
        fields = header.get("extFields")
        if fields:
            header["extFields"] = {key: "" if key in live else value for key, value in fields.items()}
        if name == "send_bad_queue":
            header["remark"] = header["remark"].rpartition(":")[0]
    assert ours == theirs
    if "extFields" in theirs:
        assert list(ours["extFields"]) == list(theirs["extFields"]), "in Apache's order too"


JSON_BODIES = [name for name in NAMES if EXCHANGES[name].response_body[:1] == b"{"]


@pytest.mark.parametrize("name", JSON_BODIES)
def test_body_is_apaches(name: str, answers: dict[str, RemotingCommand]) -> None:
    ours = _comparable(loads_bytes(answers[name].body))
    theirs = _comparable(loads_bytes(EXCHANGES[name].response_body))
    if name == "all_offsets_43":
        _drop_transaction_group(theirs)
    assert ours == theirs


def test_pulled_records_are_apaches(answers: dict[str, RemotingCommand]) -> None:
    ours = decode_records(answers["pull_11_found"].body)
    theirs = decode_records(EXCHANGES["pull_11_found"].response_body)
    made_up = {"UNIQ_KEY"}
    assert len(ours) == len(theirs) == 5
    for own, other in zip(ours, theirs, strict=True):
        assert (own.topic, own.queue_id, own.queue_offset, own.body) == (
            other.topic,
            other.queue_id,
            other.queue_offset,
            other.body,
        )
        assert {key: value for key, value in own.properties.items() if key not in made_up} == {
            key: value for key, value in other.properties.items() if key not in made_up
        }


@pytest.mark.parametrize("name", ["view_33", "query_msg_12"])
def test_found_record_is_apaches(name: str, answers: dict[str, RemotingCommand]) -> None:
    (own,) = decode_records(answers[name].body)
    (other,) = decode_records(EXCHANGES[name].response_body)
    assert own.physical_offset == other.physical_offset == 0
    assert (own.topic, own.queue_id, own.queue_offset, own.body) == ("TopicTest", 0, 0, b"hello")
    assert own.properties == other.properties


def test_group_change_is_pushed_as_apache_pushes_it() -> None:
    broker = Broker()
    client = broker.client("127.0.0.1")
    for name in ("create_topic_17", "heartbeat_34"):
        client.peer.send_bytes(EXCHANGES[name].request)
    (pushed,) = client.pushed
    header = _header(pushed)
    assert header.pop("opaque") >= 0
    assert header == {
        "code": 40,
        "extFields": {"consumerGroup": "gc"},
        "flag": 2,
        "language": "JAVA",
        "serializeTypeCurrentRPC": "JSON",
        "version": 493,
    }


def _header(command: RemotingCommand) -> dict[str, Any]:
    frame = command.encode()
    size = int.from_bytes(frame[5:8], "big")
    header = loads_bytes(frame[8 : 8 + size])
    assert isinstance(header, dict)
    assert FrameDecoder().feed(frame)
    return header


def _comparable(value: Any, key: str = "") -> Any:
    """Times and the like blanked, sets of objects in one order."""
    if key in LIVE_KEYS:
        return ""
    if isinstance(value, dict):
        return {name: _comparable(item, name) for name, item in value.items()}
    if isinstance(value, list):
        return sorted((_comparable(item) for item in value), key=repr)
    if isinstance(value, ObjectKeyed):
        return sorted(((_comparable(name), _comparable(item)) for name, item in value.pairs), key=repr)
    return value


def _drop_transaction_group(offsets: dict[str, Any]) -> None:
    offsets["groupTopicMap"].pop("CID_RMQ_SYS_TRANS")
    for name in [name for name in offsets["offsetTable"] if name.endswith("@CID_RMQ_SYS_TRANS")]:
        del offsets["offsetTable"][name]
