# SPDX-License-Identifier: Apache-2.0
"""Timer messages and their recall, as producers and consumers see them."""

from __future__ import annotations

import base64
import contextlib
import errno
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.engine.broker.harness import Broker, Client, failing
from tests.engine.fakes import SimulatedCrash

from rmq.remoting.bodies import TimerMetricsSerializeWrapper
from rmq.remoting.codes import RequestCode, ResponseCode
from rmq.remoting.java_json import loads_bytes
from rmq.remoting.message import decode_records
from rmq.remoting.message_batch import BatchItem, encode_batch_body
from rmq.store.timer import TimerCheckpoint

if TYPE_CHECKING:
    from tests.engine.fakes import FakeDisk

TIMER_TOPIC = "rmq_sys_wheel_timer"
RECALL = {"recallMessageEnable": True}


@pytest.fixture
def broker() -> Broker:
    return Broker(dict(RECALL))


@pytest.fixture
def client(broker: Broker) -> Client:
    client = broker.client()
    client.create_topic("T")
    return client


def bodies(client: Client, topic: str = "T", queue_id: int = 0) -> list[bytes]:
    found: list[bytes] = []
    while True:
        fields = client.pull_fields(topic, len(found), queue_id=queue_id)
        messages = decode_records(client.ask(RequestCode.PULL_MESSAGE, fields).body)
        if not messages:
            return found
        found += [message.body for message in messages]


def info(client: Client) -> dict[str, str]:
    table = loads_bytes(client.ok(RequestCode.GET_BROKER_RUNTIME_INFO).body)
    return {str(key): str(value) for key, value in table["table"].items()}


@pytest.mark.parametrize(
    "asked", [lambda now: "TIMER_DELAY_SEC\x013\x02", lambda now: "TIMER_DELAY_MS\x013000\x02", None]
)
def test_timer_message_comes_at_its_time_and_not_before(broker: Broker, client: Client, asked: object) -> None:
    now_ms = broker.world.clock.now_ms()
    text = asked(now_ms) if callable(asked) else f"TIMER_DELIVER_MS\x01{now_ms + 3000}\x02"
    sent = client.send("T", b"later", f"TAGS\x01TagA\x02{text}", queue_id=3)
    assert sent.code == ResponseCode.SUCCESS
    assert sent.ext_fields["queueId"] == "3"
    broker.world.run_for(2_990)
    assert bodies(client, queue_id=3) == []
    broker.world.run_for(1_020)
    (message,) = client.pull("T", 0, queueId="3", subscription="TagA")
    assert message.body == b"later"
    assert "REAL_TOPIC" not in message.properties
    assert {"TIMER_OUT_MS", "TIMER_ENQUEUE_MS", "TIMER_DEQUEUE_MS"} <= message.properties.keys()


def test_waiting_consumer_gets_a_timer_message_at_once(broker: Broker, client: Client) -> None:
    held = client.hold_pull("T", 0)
    client.send("T", b"later", "TIMER_DELAY_MS\x012000\x02")
    broker.world.run_for(3_010)
    assert client.answer_to(held) is not None


def test_many_of_one_slot_come_in_their_order(broker: Broker, client: Client) -> None:
    for number in range(600):
        client.send("T", b"%d" % number, "TIMER_DELAY_SEC\x015\x02")
    broker.world.run_for(6_100)
    assert bodies(client) == [b"%d" % number for number in range(600)]


def test_time_that_has_passed_is_no_time(broker: Broker, client: Client) -> None:
    client.send("T", b"now", "TIMER_DELIVER_MS\x011000\x02")
    assert bodies(client) == [b"now"]
    assert broker.controller.store.max_offset(TIMER_TOPIC, 0) == 0


@pytest.mark.parametrize("text", ["TIMER_DELAY_SEC\x01259201\x02", "TIMER_DELAY_MS\x01soon\x02"])
def test_time_too_far_or_no_number_is_refused(client: Client, text: str) -> None:
    answer = client.send("T", b"x", text)
    assert answer.code == ResponseCode.MESSAGE_ILLEGAL
    assert (answer.remark or "").startswith("timer message illegal, the delay time should not be bigger than the max")
    assert "259200000ms" in (answer.remark or "")


def test_delay_level_wins_over_a_timer(broker: Broker, client: Client) -> None:
    client.send("T", b"x", "DELAY\x011\x02TIMER_DELAY_SEC\x0160\x02")
    broker.world.run_for(1_100)
    (message,) = client.pull("T")
    assert "TIMER_DELAY_SEC" not in message.properties


def test_batch_with_a_time_is_refused(client: Client) -> None:
    fields = client.send_fields("T", "TIMER_DELAY_SEC\x011\x02", m="true")
    answer = client.ask(RequestCode.SEND_BATCH_MESSAGE, fields, encode_batch_body([BatchItem(0, b"a", "")]))
    assert answer.code == ResponseCode.MESSAGE_ILLEGAL


def test_timer_wheel_that_is_off_refuses(broker: Broker) -> None:
    client = Broker({"timerWheelEnable": False}).client()
    client.create_topic("T")
    answer = client.send("T", b"x", "TIMER_DELAY_SEC\x011\x02")
    assert (answer.code, answer.remark) == (
        ResponseCode.SYSTEM_ERROR,
        "accurate timer message is not enabled, timerWheelEnable is false",
    )
    assert client.ask(RequestCode.GET_TIMER_CHECK_POINT).remark == "The checkpoint is null"
    assert client.ask(RequestCode.GET_TIMER_METRICS).remark == "The timer message store is null"
    assert info(client)["timerEnqueueTps"] == "0.0"


def test_clients_cannot_write_into_the_timer_topic(client: Client) -> None:
    forged = "TIMER_OUT_MS\x011\x02REAL_TOPIC\x01RMQ_SYS_TRANS_OP_HALF_TOPIC\x02REAL_QID\x010\x02"
    assert client.send(TIMER_TOPIC, b"x", forged).code == ResponseCode.NO_PERMISSION


def test_runtime_info_and_metrics_tell_what_waits(broker: Broker, client: Client) -> None:
    for _ in range(3):
        client.send("T", b"x", "TIMER_DELAY_SEC\x0130\x02")
    broker.world.run_for(1_500)
    told = info(client)
    assert (told["timerCongestNum"], told["timerOffsetBehind"], told["timerReadBehind"]) == ("3", "0", "0")
    assert told["timerEnqueueTps"] == "0.3"
    metrics = TimerMetricsSerializeWrapper.decode(client.ok(RequestCode.GET_TIMER_METRICS).body)
    assert metrics.timing_count["T"].count == 3
    checkpoint = TimerCheckpoint.decode(client.ok(RequestCode.GET_TIMER_CHECK_POINT).body)
    assert checkpoint.last_timer_queue_offset == checkpoint.master_timer_queue_offset == 3
    assert checkpoint.last_read_time_ms == broker.world.clock.now_ms() // 1000 * 1000
    broker.world.run_for(31_000)
    assert info(client)["timerCongestNum"] == "0"
    metrics = TimerMetricsSerializeWrapper.decode(client.ok(RequestCode.GET_TIMER_METRICS).body)
    assert metrics.timing_count["T"].count == 0


def test_full_slot_refuses_more(broker: Broker) -> None:
    client = Broker({"timerCongestNumEachSlot": 2}).client()
    client.create_topic("T")
    codes = [client.send("T", b"x", "TIMER_DELAY_SEC\x0130\x02").code for _ in range(8)]
    assert codes[:3] == [ResponseCode.SUCCESS] * 3
    answer = client.send("T", b"x", "TIMER_DELAY_SEC\x0130\x02")
    assert answer.code == ResponseCode.SYSTEM_ERROR
    assert (answer.remark or "").startswith("timer message is under flow control, max num limit is 4")


def test_far_message_takes_several_turns(broker: Broker) -> None:
    turning = Broker({"timerRollWindowSlot": 10})
    client = turning.client()
    client.create_topic("T")
    client.send("T", b"far", "TIMER_DELAY_SEC\x0145\x02")
    turning.world.run_for(44_900)
    assert bodies(client) == []
    turning.world.run_for(1_200)
    (message,) = client.pull("T")
    assert message.body == b"far"
    assert int(message.properties["TIMER_ROLL_TIMES"]) >= 4


# Recall.


def recall(client: Client, handle: str, topic: str = "T") -> tuple[int, str]:
    fields = {"producerGroup": "pg", "topic": topic, "recallHandle": handle}
    answer = client.ask(RequestCode.RECALL_MESSAGE, fields)
    return answer.code, answer.remark or ""


def test_recalled_message_is_not_delivered(broker: Broker, client: Client) -> None:
    kept = client.send("T", b"kept", "UNIQ_KEY\x01U1\x02TIMER_DELAY_SEC\x0110\x02")
    gone = client.send("T", b"gone", "UNIQ_KEY\x01U2\x02TIMER_DELAY_SEC\x0110\x02")
    out_ms = (broker.world.clock.now_ms() + 10_000) // 1000 * 1000
    handle = gone.ext_fields["recallHandle"]
    assert base64.urlsafe_b64decode(handle).decode() == f"v1 T broker-a {out_ms + 1} U2"
    assert kept.ext_fields["recallHandle"] != handle
    broker.world.run_for(2_000)
    answer = client.ok(RequestCode.RECALL_MESSAGE, {"producerGroup": "pg", "topic": "T", "recallHandle": handle})
    assert answer.ext_fields["msgId"] == "U2"
    broker.world.run_for(10_000)
    assert bodies(client) == [b"kept"]


def test_recall_survives_kill_9(broker: Broker, client: Client) -> None:
    sent = client.send("T", b"gone", "UNIQ_KEY\x01U2\x02TIMER_DELAY_SEC\x0110\x02")
    assert recall(client, sent.ext_fields["recallHandle"])[0] == ResponseCode.SUCCESS
    broker.kill()
    again = broker.start_again()
    again.world.run_for(20_000)
    assert bodies(again.client()) == []


def test_recall_that_cannot_be_is_refused_in_apaches_words(broker: Broker, client: Client) -> None:
    def handle(text: str) -> str:
        return base64.urlsafe_b64encode(text.encode()).decode()

    later = broker.world.clock.now_ms() + 5_000
    illegal = ResponseCode.ILLEGAL_OPERATION
    assert recall(client, handle(f"v1 T broker-a {later} U"), "Nobody") == (
        ResponseCode.TOPIC_NOT_EXIST,
        "recall failed, the topic[Nobody] not exist",
    )
    for text in ("", "!!", handle("v2 T broker-a 1 U"), handle("v1 T broker-a 1")):
        assert recall(client, text) == (illegal, "recall handle is invalid")
    assert recall(client, handle(f"v1 S broker-a {later} U")) == (illegal, "recall failed, topic not match")
    not_here = (illegal, "recall failed, broker service not available")
    assert recall(client, handle(f"v1 T broker-b {later} U")) == not_here
    for time in ("1", "soon", str(later + 259_200_000)):
        assert recall(client, handle(f"v1 T broker-a {time} U")) == (illegal, "recall failed, timestamp invalid")
    off = Broker().client()
    off.create_topic("T")
    assert recall(off, handle(f"v1 T broker-a {later} U")) == (
        ResponseCode.NO_PERMISSION,
        "recall failed, operation is forbidden",
    )


# Over restarts.


def put_some(client: Client) -> None:
    for number in range(1, 7):
        client.send("T", b"%d" % number, f"TIMER_DELAY_SEC\x01{number * 2}\x02")


def test_timer_messages_survive_a_clean_stop_and_come_once(broker: Broker, client: Client) -> None:
    put_some(client)
    broker.world.run_for(5_500)
    broker.stop()
    broker.world.run_for(4_000)
    again = broker.start_again()
    again.world.run_for(20_000)
    assert bodies(again.client()) == [b"%d" % number for number in range(1, 7)]


@pytest.mark.parametrize("after_ms", [0, 300, 2_600, 3_010, 5_500, 30_000])
def test_timer_messages_survive_kill_9_and_come_once(broker: Broker, client: Client, after_ms: int) -> None:
    put_some(client)
    broker.world.run_for(after_ms)
    broker.kill()
    again = broker.start_again()
    again.world.run_for(20_000)
    assert bodies(again.client()) == [b"%d" % number for number in range(1, 7)]


@pytest.mark.parametrize("harm", ["remove", "zero", "cut"])
@pytest.mark.parametrize("part", ["timerwheel", "timerlog", "timermetrics"])
@pytest.mark.parametrize("clean", [True, False])
def test_harm_to_what_is_derived_loses_and_repeats_nothing(
    broker: Broker, client: Client, part: str, harm: str, clean: bool
) -> None:
    put_some(client)
    broker.world.run_for(5_500)
    if clean:
        broker.stop()
    else:
        broker.kill()
    do_harm(broker.disk, part, harm)
    again = broker.start_again()
    again.world.run_for(20_000)
    assert bodies(again.client()) == [b"%d" % number for number in range(1, 7)]


def do_harm(disk: FakeDisk, part: str, harm: str) -> None:
    paths = [path for path in disk.files() if part in str(path)]
    assert paths
    for path in paths:
        size = len(disk.read_bytes(path))
        if harm == "remove":
            disk.remove(path)
        elif harm == "zero":
            disk.corrupt(path, 0, bytes(size))
        else:
            disk.open(path).truncate(size // 2)


def test_lost_checkpoint_loses_nothing(broker: Broker, client: Client) -> None:
    put_some(client)
    broker.world.run_for(5_500)
    broker.kill()
    broker.disk.remove(Path("/store/config/timercheck"))
    again = broker.start_again()
    again.world.run_for(20_000)
    assert set(bodies(again.client())) == {b"%d" % number for number in range(1, 7)}


@pytest.mark.parametrize("at", range(1, 25))
def test_timer_files_that_are_made_anew_may_be_interrupted_anywhere(broker: Broker, client: Client, at: int) -> None:
    """As on a master that is rebuilt from its slave: some messages are due, others are not."""
    put_some(client)
    broker.stop()
    disk = broker.disk
    for path in [path for path in disk.files() if any(part.startswith("timer") for part in path.parts)]:
        disk.remove(path)
    broker.world.run_for(7_000)
    again = Broker(broker.settings, world=broker.world, disk=disk, waits=False)
    disk.crash_at = disk.mutations + at
    with contextlib.suppress(SimulatedCrash):
        again.world.run_for(1_000)
    again.kill()
    disk.crash_at = None
    again = again.start_again()
    again.world.run_for(20_000)
    assert set(bodies(again.client())) == {b"%d" % number for number in range(1, 7)}


def test_messages_due_while_the_broker_was_down_for_weeks_come(broker: Broker, client: Client) -> None:
    put_some(client)
    broker.world.run_for(1_500)
    broker.stop()
    broker.world.clock.advance(40 * 24 * 3_600_000)
    again = broker.start_again()
    again.world.run_for(3_000)
    assert bodies(again.client()) == [b"%d" % number for number in range(1, 7)]


def test_broker_without_timer_messages_makes_no_timer_files(broker: Broker, client: Client) -> None:
    client.send("T", b"x")
    broker.world.run_for(120_000)
    broker.stop()
    assert not [path for path in broker.disk.files() if path.name == "timerwheel" or "timerlog" in str(path)]


@pytest.mark.parametrize("precision", [(1000, 100), (100, 1000)])
def test_another_precision_after_a_restart_loses_nothing(precision: tuple[int, int]) -> None:
    before, after = precision
    first = Broker({"timerPrecisionMs": before})
    client = first.client()
    client.create_topic("T")
    for number in range(20):
        client.send("T", b"%d" % number, f"TIMER_DELAY_MS\x01{4000 + number * 100}\x02")
    first.world.run_for(1_500)
    first.stop()
    again = first.start_again({"timerPrecisionMs": after})
    again.world.run_for(10_000)
    assert sorted(bodies(again.client())) == sorted(b"%d" % number for number in range(20))


#: Once around the wheel, with the precision of the next two tests.
TURN_MS = 2 * 604_800 * 100


def test_clock_that_jumps_by_more_than_the_wheel_reaches_takes_no_message_away() -> None:
    """The second message belongs into the slot in which the first one still waits."""
    broker = Broker({"timerPrecisionMs": 100})
    client = broker.client()
    client.create_topic("T")
    due_ms = broker.world.clock.now_ms() + 20_000
    client.send("T", b"first", f"TIMER_DELIVER_MS\x01{due_ms}\x02")
    broker.world.run_for(1_000)
    broker.world.clock.jump(TURN_MS - 10_000)
    client.send("T", b"second", f"TIMER_DELIVER_MS\x01{due_ms + TURN_MS}\x02")
    broker.world.run_for(100_000)
    assert bodies(broker.client()) == [b"first", b"second"]


def test_lost_timer_log_is_made_again_of_messages_that_are_a_turn_of_the_wheel_apart() -> None:
    broker = Broker({"timerPrecisionMs": 100})
    client = broker.client()
    client.create_topic("T")
    due_ms = broker.world.clock.now_ms() + 20_000
    client.send("T", b"first", f"TIMER_DELIVER_MS\x01{due_ms}\x02")
    broker.world.run_for(3_000)
    broker.kill()
    broker.world.clock.jump(TURN_MS - 10_000)
    for path in [path for path in broker.disk.files() if path.parent.name == "timerlog"]:
        broker.disk.remove(path)
    # The producer is there before the wheel has met the first message again.
    again = broker.start_again({"timerStopEnqueue": True})
    again.client().send("T", b"second", f"TIMER_DELIVER_MS\x01{due_ms + TURN_MS}\x02")
    again.kill()
    last = again.start_again({"timerStopEnqueue": False})
    last.world.run_for(100_000)
    assert bodies(last.client()) == [b"first", b"second"]


def test_timed_message_comes_although_its_queue_could_not_be_read_once(broker: Broker, client: Client) -> None:
    failing(broker, "units", TIMER_TOPIC)
    client.send("T", b"x", "TIMER_DELAY_SEC\x011\x02")
    broker.world.run_for(5_000)
    assert bodies(client) == [b"x"]


@pytest.mark.parametrize("file", ["timerlog", "timercheck"])
def test_lost_write_to_the_timers_files_ends_the_broker_and_no_message(
    broker: Broker, client: Client, file: str
) -> None:
    broker.disk.fail("datasync", errno.EIO, path_contains=file)
    put_some(client)
    broker.world.run_for(1_100)
    (fatal,) = broker.fatal
    assert file in fatal
    assert fatal.endswith("nothing more can be acknowledged")
    broker.kill()
    again = broker.start_again()
    again.world.run_for(20_000)
    assert bodies(again.client()) == [b"%d" % number for number in range(1, 7)]
