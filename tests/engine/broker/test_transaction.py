# SPDX-License-Identifier: Apache-2.0
"""Transaction messages from the producer's and the consumer's side, with the broker stopped and killed in between."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.engine.broker.harness import PORT, Broker, Client, failing
from tests.engine.fakes import FakeDisk
from tests.engine.remoting.golden import FILES

from rmq.remoting.codes import RequestCode, ResponseCode
from rmq.remoting.command import RemotingCommand
from rmq.remoting.message import MessageExt, decode_record, decode_records, parse_offset_message_id

if TYPE_CHECKING:
    from rmq.broker.broker_config import SettingValue
    from rmq.store.message_store import MessageStore

HALF = "RMQ_SYS_TRANS_HALF_TOPIC"
OP = "RMQ_SYS_TRANS_OP_HALF_TOPIC"
MAX_TIME = "TRANS_CHECK_MAX_TIME_TOPIC"
COMMIT, ROLLBACK, UNKNOWN = "8", "12", "0"
ROUND_MS = 30_000


GOLDEN_SIZES: dict[str, SettingValue] = {"mappedFileSizeCommitLog": 16384, "mappedFileSizeConsumeQueue": 2000}


def golden_disk(root: Path) -> FakeDisk:
    """A store of Apache's broker after a clean stop."""
    disk = FakeDisk()
    for name, entry in FILES.items():
        if name.startswith(("commitlog/", "consumequeue/")):
            disk.open(root / name, size_bytes=entry["size"]).pwrite(bytes.fromhex(entry["used_hex"]), 0)
        elif name.startswith("config/") and "text" in entry:
            disk.replace_file(root / name, entry["text"].encode())
    return disk


@pytest.fixture
def broker() -> Broker:
    return Broker()


@pytest.fixture
def client(broker: Broker) -> Client:
    client = broker.client()
    client.create_topic("T")
    client.heartbeat()
    return client


def half(
    client: Client, body: bytes = b"half", *, uniq: str = "U1", queue_id: int = 0, more: str = ""
) -> RemotingCommand:
    properties = f"TRAN_MSG\x01true\x02PGROUP\x01pg\x02UNIQ_KEY\x01{uniq}\x02TAGS\x01TagA\x02{more}"
    now_ms = client.world.clock.now_ms()
    return client.send("T", body, properties, queue_id, f="4", g=str(now_ms))


def end_fields(sent: RemotingCommand, decision: str, *, from_check: bool = False, **more: str) -> dict[str, str]:
    fields = sent.ext_fields
    if sent.code == RequestCode.CHECK_TRANSACTION_STATE:
        offset, physical_offset = fields["tranStateTableOffset"], int(fields["commitLogOffset"])
    else:
        offset, (_, physical_offset) = fields["queueOffset"], parse_offset_message_id(fields["msgId"])
    return {
        "producerGroup": "pg",
        "tranStateTableOffset": offset,
        "commitLogOffset": str(physical_offset),
        "commitOrRollback": decision,
        "fromTransactionCheck": str(from_check).lower(),
        "msgId": "U1",
        **more,
    }


def end(client: Client, sent: RemotingCommand, decision: str, **more: str) -> RemotingCommand:
    return client.ask(RequestCode.END_TRANSACTION, {**end_fields(sent, decision), **more})


def end_from_check(client: Client, check: RemotingCommand, decision: str) -> int:
    return client.ask(RequestCode.END_TRANSACTION, end_fields(check, decision, from_check=True)).code


def bodies(client: Client, queue_id: int = 0) -> list[bytes]:
    return [message.body for message in client.pull("T", 0, queueId=str(queue_id))]


def records(store: MessageStore, topic: str) -> list[MessageExt]:
    found = store.get(topic, 0, store.min_offset(topic, 0), 1000)
    return decode_records(b"".join(found.frames))


def checks(client: Client) -> list[RemotingCommand]:
    return [frame for frame in client.pushed if frame.code == RequestCode.CHECK_TRANSACTION_STATE]


def rounds(client: Client, number: int) -> None:
    """Checks go by while the producer stays alive; begins and ends a moment after one."""
    for _ in range(number):
        client.heartbeat()
        client.world.run_for(ROUND_MS)


# Ending.


def test_half_message_is_delivered_only_when_it_is_committed(client: Client) -> None:
    sent = half(client, b"money", queue_id=3)
    assert sent.ext_fields["queueId"] == "3"
    assert sent.ext_fields["transactionId"] == "U1"
    assert bodies(client, 3) == []
    assert end(client, sent, COMMIT).code == ResponseCode.SUCCESS
    (message,) = client.pull("T", 0, queueId="3", subscription="TagA")
    assert message.body == b"money"
    assert message.sys_flag & 12 == 8
    assert message.prepared_transaction_offset == parse_offset_message_id(sent.ext_fields["msgId"])[1]
    assert "REAL_TOPIC" not in message.properties
    assert message.properties["__transactionId__"] == "U1"


def test_waiting_consumer_gets_a_committed_message_at_once(client: Client) -> None:
    held = client.hold_pull("T", 0, tags="TagA")
    sent = half(client)
    assert client.answer_to(held) is None
    end(client, sent, COMMIT)
    assert client.answer_to(held) is not None


def test_rolled_back_message_is_never_delivered(broker: Broker, client: Client) -> None:
    sent = half(client)
    assert end(client, sent, ROLLBACK).code == ResponseCode.SUCCESS
    assert end(client, sent, COMMIT).code == ResponseCode.ILLEGAL_OPERATION
    rounds(client, 10)
    assert bodies(client) == []
    assert checks(client) == []


def test_producer_that_says_commit_twice_delivers_once(client: Client) -> None:
    sent = half(client)
    assert end(client, sent, COMMIT).code == ResponseCode.SUCCESS
    assert end(client, sent, COMMIT).code == ResponseCode.SUCCESS
    assert end(client, sent, ROLLBACK).code == ResponseCode.ILLEGAL_OPERATION
    assert bodies(client) == [b"half"]


def test_unknown_is_not_answered_and_leaves_the_transaction_open(client: Client) -> None:
    sent = half(client)
    asked = client.post(RequestCode.END_TRANSACTION, end_fields(sent, UNKNOWN))
    assert client.answer_to(asked) is None
    assert end(client, sent, COMMIT).code == ResponseCode.SUCCESS


@pytest.mark.parametrize(
    ("wrong", "remark"),
    [
        ({"producerGroup": "other"}, "The producer group wrong"),
        ({"tranStateTableOffset": "7"}, "The transaction state table offset wrong"),
        ({"commitLogOffset": "5"}, "Find prepared transaction message failed"),
        ({"commitLogOffset": "0"}, "Find prepared transaction message failed"),
        ({"commitLogOffset": "-1"}, "Find prepared transaction message failed"),
        ({"commitLogOffset": "99999999999"}, "Find prepared transaction message failed"),
    ],
)
def test_end_of_a_transaction_that_is_not_there_is_refused(client: Client, wrong: dict[str, str], remark: str) -> None:
    """Offset 0 is another record, one that is no half message."""
    client.send("T", b"first")
    sent = half(client)
    answer = end(client, sent, COMMIT, **wrong)
    assert (answer.code, answer.remark) == (ResponseCode.SYSTEM_ERROR, remark)
    assert bodies(client) == [b"first"]


def test_commit_starts_the_delay_of_a_delayed_message(broker: Broker, client: Client) -> None:
    sent = half(client, more="DELAY\x012\x02")
    broker.world.run_for(5_500)
    assert end(client, sent, COMMIT).code == ResponseCode.SUCCESS
    broker.world.run_for(4_900)
    assert bodies(client) == []
    broker.world.run_for(200)
    assert bodies(client) == [b"half"]


def test_half_message_with_a_time_of_delivery_is_refused(client: Client) -> None:
    assert half(client, more="TIMER_DELAY_SEC\x015\x02").code == ResponseCode.MESSAGE_ILLEGAL


def test_broker_may_refuse_transactions() -> None:
    client = Broker({"rejectTransactionMessage": True}).client()
    client.create_topic("T")
    answer = half(client)
    assert answer.code == ResponseCode.NO_PERMISSION
    assert answer.remark == "the broker[127.0.0.1] sending transaction message is forbidden"


def test_slave_ends_no_transaction() -> None:
    slave = Broker({"brokerRole": "SLAVE", "brokerId": 1, "slaveReadEnable": True})
    fields = {"producerGroup": "pg", "tranStateTableOffset": "0", "commitLogOffset": "0", "msgId": "U1"}
    answer = slave.client().ask(RequestCode.END_TRANSACTION, {**fields, "commitOrRollback": COMMIT})
    assert answer.code == ResponseCode.SLAVE_NOT_AVAILABLE


# What is stored.


def test_records_are_apaches(broker: Broker, client: Client) -> None:
    first, second = half(client, uniq="U1"), half(client, uniq="U2")
    end(client, first, COMMIT)
    end(client, second, ROLLBACK)
    store = broker.controller.store
    one, _ = records(store, HALF)
    assert one.sys_flag & 12 == 0
    assert (one.properties["REAL_TOPIC"], one.properties["REAL_QID"]) == ("T", "0")
    ops = records(store, OP)
    assert [op.body for op in ops] == [b"0,", b"1,"]
    assert {(op.tags, op.sys_flag, op.born_host) for op in ops} == {("d", 0, ("127.0.0.1", PORT))}
    unit = store.get(OP, 0, 0, 1, matches=lambda tags_code: tags_code == ord("d"))
    assert unit.message_count == 1


def test_transactions_that_end_in_one_tick_share_op_messages(broker: Broker, client: Client) -> None:
    sent = [half(client, uniq=f"U{number}") for number in range(20)]
    requests = [RemotingCommand.request(RequestCode.END_TRANSACTION, end_fields(one, COMMIT)) for one in sent]
    client.peer.send_bytes(b"".join(request.encode() for request in requests))
    assert all(client.answer_to(request) is not None for request in requests)
    (op,) = records(broker.controller.store, OP)
    assert op.body == "".join(f"{number}," for number in range(20)).encode()


def test_op_messages_keep_to_their_size() -> None:
    broker = Broker({"transactionOpMsgMaxSize": 6})
    client = broker.client()
    client.create_topic("T")
    sent = [half(client, uniq=f"U{number}") for number in range(5)]
    requests = [RemotingCommand.request(RequestCode.END_TRANSACTION, end_fields(one, ROLLBACK)) for one in sent]
    client.peer.send_bytes(b"".join(request.encode() for request in requests))
    assert all(client.answer_to(request) is not None for request in requests)
    assert [op.body for op in records(broker.controller.store, OP)] == [b"0,1,2,", b"3,4,"]


def test_open_transactions_are_counted(broker: Broker, client: Client) -> None:
    first, _ = half(client, uniq="U1"), half(client, uniq="U2")
    end(client, first, ROLLBACK)
    broker.stop()
    again = broker.start_again()
    assert again.controller.context.transactions.metrics.count("T") == 1
    text = again.disk.read_bytes(again.controller.store.config.root / "config" / "transactionMetrics").decode()
    assert '"transactionCount"' in text
    assert '"timeStamp"' in text


# Asking.


def test_producer_is_asked_about_an_open_transaction(broker: Broker, client: Client) -> None:
    sent = half(client, b"open", queue_id=2)
    rounds(client, 1)
    (check,) = checks(client)
    message = decode_record(check.body)
    assert (message.topic, message.queue_id, message.body) == ("T", 2, b"open")
    assert message.properties["PGROUP"] == "pg"
    assert check.ext_fields["transactionId"] == check.ext_fields["msgId"] == "U1"
    assert check.ext_fields["topic"] == HALF
    assert check.ext_fields["tranStateTableOffset"] == "1", "the copy at the end of the queue"
    assert check.ext_fields["offsetMsgId"] != sent.ext_fields["msgId"]
    assert end_from_check(client, check, COMMIT) == ResponseCode.SUCCESS
    assert bodies(client, 2) == [b"open"]
    rounds(client, 3)
    assert len(checks(client)) == 1


def test_each_check_is_counted_in_the_copy(broker: Broker, client: Client) -> None:
    half(client)
    rounds(client, 3)
    assert len(checks(client)) == 3
    times = [one.properties.get("TRANSACTION_CHECK_TIMES") for one in records(broker.controller.store, HALF)]
    assert times == [None, "1", "2", "3"]


def test_young_transaction_is_left_alone(broker: Broker, client: Client) -> None:
    broker.world.run_for(ROUND_MS - 5_000)
    half(client)
    broker.world.run_for(5_100)
    assert checks(client) == []
    broker.world.run_for(ROUND_MS)
    assert len(checks(client)) == 1


def test_producer_whose_clock_is_ahead_is_asked_at_once(broker: Broker, client: Client) -> None:
    properties = "TRAN_MSG\x01true\x02PGROUP\x01pg\x02UNIQ_KEY\x01U1\x02"
    client.send("T", b"ahead", properties, g=str(client.world.clock.now_ms() + 3_600_000))
    rounds(client, 1)
    assert len(checks(client)) == 1


def test_late_commit_by_the_first_place_ends_the_copies_too(broker: Broker, client: Client) -> None:
    """The local transaction took longer than the broker was willing to wait."""
    sent = half(client)
    rounds(client, 2)
    assert len(checks(client)) == 2
    assert end(client, sent, COMMIT).code == ResponseCode.SUCCESS
    assert end_from_check(client, checks(client)[0], COMMIT) == ResponseCode.SUCCESS
    assert end_from_check(client, checks(client)[1], ROLLBACK) == ResponseCode.ILLEGAL_OPERATION
    rounds(client, 3)
    assert bodies(client) == [b"half"]
    assert len(checks(client)) == 2


def test_another_producer_of_the_group_is_asked_when_the_first_is_gone(broker: Broker, client: Client) -> None:
    half(client)
    other = broker.client("10.0.0.10")
    other.heartbeat()
    client.peer.connection.close()
    rounds(other, 1)
    (check,) = checks(other)
    assert end_from_check(other, check, ROLLBACK) == ResponseCode.SUCCESS


def test_transaction_that_nobody_decides_is_given_up_and_can_be_resumed(client: Client, broker: Broker) -> None:
    half(client, b"orphan")
    rounds(client, 17)
    assert len(checks(client)) == 15
    (given_up,) = client.pull(MAX_TIME)
    assert given_up.body == b"orphan"
    assert broker.controller.context.transactions.metrics.count("T") == 0
    resume = {"topic": MAX_TIME, "msgId": given_up.message_id}
    client.ok(RequestCode.RESUME_CHECK_HALF_MESSAGE, resume)
    rounds(client, 2)
    assert end_from_check(client, checks(client)[-1], COMMIT) == ResponseCode.SUCCESS
    assert bodies(client) == [b"orphan"]


def test_only_a_half_message_can_be_resumed(client: Client) -> None:
    message_id = client.send("T", b"plain").ext_fields["msgId"]
    rolled_back = half(client)
    end(client, rolled_back, ROLLBACK)
    for wrong in (message_id, rolled_back.ext_fields["msgId"], "00", "7F00000100003017FFFFFFFFFFFFFFFF", "x"):
        answer = client.ask(RequestCode.RESUME_CHECK_HALF_MESSAGE, {"topic": "T", "msgId": wrong})
        assert answer.code == ResponseCode.SYSTEM_ERROR


def test_producer_that_asks_for_time_is_not_asked_before(broker: Broker, client: Client) -> None:
    half(client, more="CHECK_IMMUNITY_TIME_IN_SECONDS\x01100\x02")
    rounds(client, 3)
    assert checks(client) == []
    first, *copies = records(broker.controller.store, HALF)
    assert [one.properties["TRAN_PREPARED_QUEUE_OFFSET"] for one in copies] == ["0"] * 3
    assert first.properties.get("TRAN_PREPARED_QUEUE_OFFSET") is None
    broker.world.run_for(ROUND_MS)
    assert len(checks(client)) == 1


def test_time_asked_for_may_be_longer_than_all_checks(broker: Broker, client: Client) -> None:
    sent = half(client, more="CHECK_IMMUNITY_TIME_IN_SECONDS\x013600\x02")
    rounds(client, 20)
    assert checks(client) == []
    assert end(client, sent, COMMIT).code == ResponseCode.SUCCESS
    assert bodies(client) == [b"half"]


def test_end_without_an_answer_wanted_gets_none(client: Client) -> None:
    """As Java's producers end: one-way, also where it is wrong."""
    sent = half(client)
    before = len(client.peer.frames)
    for fields in ({**end_fields(sent, COMMIT), "producerGroup": "other"}, end_fields(sent, COMMIT)):
        client.peer.send(RemotingCommand.request(RequestCode.END_TRANSACTION, fields, oneway=True))
    assert len(client.peer.frames) == before
    assert bodies(client) == [b"half"]


def test_commit_within_the_time_asked_for_ends_the_copies(broker: Broker, client: Client) -> None:
    sent = half(client, more="CHECK_IMMUNITY_TIME_IN_SECONDS\x01100\x02")
    rounds(client, 2)
    assert end(client, sent, COMMIT).code == ResponseCode.SUCCESS
    rounds(client, 4)
    assert bodies(client) == [b"half"]
    assert checks(client) == []


def test_commit_after_the_time_asked_for_counts_only_as_an_answer(broker: Broker, client: Client) -> None:
    sent = half(client, more="CHECK_IMMUNITY_TIME_IN_SECONDS\x0110\x02")
    rounds(client, 1)
    assert end(client, sent, COMMIT).code == ResponseCode.ILLEGAL_OPERATION
    assert end_from_check(client, checks(client)[0], COMMIT) == ResponseCode.SUCCESS
    assert bodies(client) == [b"half"]


def test_long_half_queue_is_walked_in_one_round(broker: Broker, client: Client) -> None:
    for number in range(100):
        half(client, uniq=f"U{number}")
    rounds(client, 1)
    assert len(checks(client)) == 100


# Stops and crashes.


@pytest.mark.parametrize("killed", [False, True])
def test_open_transaction_survives(broker: Broker, client: Client, killed: bool) -> None:
    sent = half(client)
    broker.kill() if killed else broker.stop()
    again = broker.start_again()
    client = again.client()
    assert end(client, sent, COMMIT).code == ResponseCode.SUCCESS
    assert bodies(client) == [b"half"]


@pytest.mark.parametrize("killed", [False, True])
@pytest.mark.parametrize("decision", [COMMIT, ROLLBACK])
def test_ended_transaction_is_not_asked_about_after(
    broker: Broker, client: Client, killed: bool, decision: str
) -> None:
    sent, opened = half(client, uniq="U1"), half(client, b"open", uniq="U2")
    end(client, sent, decision)
    broker.kill() if killed else broker.stop()
    again = broker.start_again()
    client = again.client()
    client.heartbeat()
    rounds(client, 1)
    (check,) = checks(client)
    assert check.ext_fields["transactionId"] == "U2"
    assert opened.ext_fields["queueOffset"] == "1"
    assert bodies(client) == ([b"half"] if decision == COMMIT else [])


def test_rolled_back_transaction_cannot_be_committed_after_a_crash(broker: Broker, client: Client) -> None:
    sent = half(client)
    end(client, sent, ROLLBACK)
    broker.kill()
    client = broker.start_again().client()
    assert end(client, sent, COMMIT).code == ResponseCode.ILLEGAL_OPERATION
    assert bodies(client) == []


@pytest.mark.parametrize("killed", [False, True])
def test_checks_go_on_where_they_were(broker: Broker, client: Client, killed: bool) -> None:
    half(client)
    rounds(client, 2)
    broker.kill() if killed else broker.stop()
    again = broker.start_again()
    client = again.client()
    client.heartbeat()
    rounds(client, 1)
    (check,) = checks(client)
    assert decode_record(check.body).properties["TRANSACTION_CHECK_TIMES"] == "2"
    assert end_from_check(client, check, COMMIT) == ResponseCode.SUCCESS
    rounds(client, 2)
    assert bodies(client) == [b"half"]
    assert len(checks(client)) == 1


def test_offsets_of_both_queues_are_kept_as_apache_keeps_them(broker: Broker, client: Client) -> None:
    for number in range(3):
        end(client, half(client, uniq=f"U{number}"), COMMIT)
    rounds(client, 1)
    table = broker.controller.context.offsets.wrapper().offset_table
    assert table[f"{HALF}@CID_RMQ_SYS_TRANS"] == {0: 3}
    assert table[f"{OP}@CID_RMQ_SYS_TRANS"] == {0: 3}


def test_transactions_of_apaches_store_go_on() -> None:
    """Its one transaction is over: nobody is asked about it."""
    disk = golden_disk(Path("/store"))
    broker = Broker({**GOLDEN_SIZES, "brokerName": "broker-a"}, disk=disk)
    transactions = broker.controller.context.transactions
    assert transactions.metrics.count("TopicTest") == 0
    client = broker.client()
    client.create_topic("T")
    sent = half(client, uniq="U2")
    rounds(client, 2)
    assert {check.ext_fields["transactionId"] for check in checks(client)} == {"U2"}
    assert end(client, sent, COMMIT).code == ResponseCode.SUCCESS
    assert bodies(client) == [b"half"]
    rounds(client, 2)
    table = broker.controller.context.offsets.wrapper().offset_table
    half_end = broker.controller.store.max_offset(HALF, 0)
    assert (table[f"{HALF}@CID_RMQ_SYS_TRANS"], table[f"{OP}@CID_RMQ_SYS_TRANS"]) == ({0: half_end}, {0: 2})


SAFE: dict[str, SettingValue] = {"flushDiskType": "SYNC_FLUSH"}


def test_commit_and_rollback_are_answered_when_they_are_flushed() -> None:
    broker = Broker(SAFE)
    client = broker.client()
    client.create_topic("T")
    first, second = half(client, uniq="U1"), half(client, uniq="U2")
    assert end(client, first, COMMIT).code == ResponseCode.SUCCESS
    assert end(client, second, ROLLBACK).code == ResponseCode.SUCCESS
    broker.reactor.crash()
    broker.disk.crash("all")
    again = broker.start_again()
    client = again.client()
    client.heartbeat()
    assert bodies(client) == [b"half"]
    rounds(client, 1)
    assert checks(client) == []
    assert bodies(client) == [b"half"]


def test_full_disk_ends_no_transaction(broker: Broker, client: Client) -> None:
    first, second = half(client, uniq="U1"), half(client, uniq="U2")
    broker.disk.fail("pwrite", errno.ENOSPC, path_contains="commitlog", times=2)
    assert end(client, first, COMMIT).code == ResponseCode.SERVICE_NOT_AVAILABLE
    assert end(client, second, ROLLBACK).code == ResponseCode.SERVICE_NOT_AVAILABLE
    assert end(client, first, COMMIT).code == ResponseCode.SUCCESS
    assert end(client, second, COMMIT).code == ResponseCode.SUCCESS
    assert bodies(client) == [b"half", b"half"]


def test_message_that_calls_itself_prepared_is_in_no_queue(broker: Broker, client: Client) -> None:
    """sysFlag 4 without TRAN_MSG: recovery gives it no place either."""
    client.send("T", b"odd", f="4")
    client.send("T", b"plain")
    assert bodies(client) == [b"plain"]
    broker.kill()
    assert bodies(broker.start_again().client()) == [b"plain"]


def test_a_producer_is_asked_after_the_clock_was_set_back(broker: Broker, client: Client) -> None:
    half(client)
    broker.world.clock.jump(-864_000_000)
    for _ in range(2):
        client.heartbeat()
        broker.world.run_for(ROUND_MS)
    assert checks(client)


def test_half_message_without_room_for_a_copy_is_refused(client: Client) -> None:
    """It could be stored, and its producer never be asked about it."""
    codes = [half(client, more=f"K\x01{'k' * size_bytes}\x02").code for size_bytes in range(32_300, 32_600, 10)]
    assert codes == sorted(codes)
    assert set(codes) == {ResponseCode.SUCCESS, ResponseCode.MESSAGE_ILLEGAL}
    rounds(client, 4)
    assert len(checks(client)) > codes.count(ResponseCode.SUCCESS) > 0


def test_half_message_that_can_have_no_copy_stops_no_other(broker: Broker, client: Client) -> None:
    sent = half(client, b"x" * 100_000, uniq="Large")
    for number in range(100):
        half(client, uniq=f"U{number}")
    broker.stop()
    again = broker.start_again({"maxMessageSize": 50_000})
    other = again.client()
    rounds(other, 5)
    asked = [check for check in checks(other) if check.ext_fields["msgId"] == "Large"]
    assert [check.ext_fields["tranStateTableOffset"] for check in asked] == [sent.ext_fields["queueOffset"]]
    assert len({check.ext_fields["msgId"] for check in checks(other)}) == 101
    assert end_from_check(other, asked[0], ROLLBACK) == ResponseCode.SUCCESS


def test_checks_go_on_after_the_half_queue_could_not_be_read_once(broker: Broker, client: Client) -> None:
    half(client)
    failing(broker, "get", HALF)
    rounds(client, 3)
    assert checks(client)
