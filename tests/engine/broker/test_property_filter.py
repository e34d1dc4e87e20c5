# SPDX-License-Identifier: Apache-2.0
"""SQL92 filters as consumers meet them: at their start, in pulls, in heartbeats, and in long polling."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tests.engine.broker.harness import Broker, Client

from rmq.filter.bloom_filter import bit_positions
from rmq.remoting.codes import RequestCode, ResponseCode
from rmq.remoting.java_json import dumps_bytes, loads_bytes
from rmq.remoting.message import decode_records

if TYPE_CHECKING:
    from rmq.remoting.command import RemotingCommand

BY_AGE = "age >= 18 AND city IN ('Oslo', 'Bergen')"


@pytest.fixture
def broker() -> Broker:
    return Broker({"enablePropertyFilter": True})


@pytest.fixture
def client(broker: Broker) -> Client:
    client = broker.client()
    client.create_topic("T")
    return client


def person(client: Client, name: str, age: int, city: str = "Oslo") -> None:
    client.send("T", name.encode(), f"age\x01{age}\x02city\x01{city}\x02")


def ask(client: Client, expression: str, queue_offset: int = 0, **more: str) -> RemotingCommand:
    fields = client.pull_fields("T", queue_offset, tags=expression)
    return client.ask(RequestCode.PULL_MESSAGE, {**fields, "expressionType": "SQL92", **more})


def names(answer: RemotingCommand) -> list[bytes]:
    return [message.body for message in decode_records(answer.body)]


def beat(client: Client, expression: str, version: int = 1, *, topic: str = "T", kind: str = "SQL92") -> None:
    subscription = {"topic": topic, "subString": expression, "subVersion": version, "expressionType": kind}
    consumer = {"groupName": "gc", "consumeType": "CONSUME_PASSIVELY", "messageModel": "CLUSTERING"}
    consumer_data: dict[str, Any] = {**consumer, "subscriptionDataSet": [subscription]}
    body = {"clientID": "c1", "producerDataSet": [], "consumerDataSet": [consumer_data]}
    client.ok(RequestCode.HEART_BEAT, body=dumps_bytes(body))


def pull_as_group(client: Client, version: int = 1, queue_offset: int = 0) -> RemotingCommand:
    """As a push consumer: the expression is that of its heartbeat."""
    fields = {**client.pull_fields("T", queue_offset), "sysFlag": "0", "subVersion": str(version)}
    return client.ask(RequestCode.PULL_MESSAGE, fields)


def check(client: Client, expression: str, kind: str = "SQL92") -> RemotingCommand:
    subscription = {"topic": "T", "subString": expression, "expressionType": kind, "subVersion": 1}
    body = {"clientId": "c1", "group": "gc", "subscriptionData": subscription}
    return client.ask(RequestCode.CHECK_CLIENT_CONFIG, body=dumps_bytes(body))


def test_pull_brings_what_its_expression_takes(client: Client) -> None:
    person(client, "Kari", 40)
    person(client, "Ola", 12)
    person(client, "Nils", 50, "Paris")
    person(client, "Liv", 18, "Bergen")
    client.send("T", b"nobody")
    answer = ask(client, BY_AGE)
    assert names(answer) == [b"Kari", b"Liv"]
    assert answer.ext_fields["nextBeginOffset"] == "5"


def test_pull_that_finds_nothing_moves_on(client: Client) -> None:
    person(client, "Ola", 12)
    answer = ask(client, BY_AGE)
    assert (answer.code, answer.remark) == (ResponseCode.PULL_RETRY_IMMEDIATELY, "NO_MATCHED_MESSAGE")
    assert answer.ext_fields["nextBeginOffset"] == "1"


def test_group_is_filtered_by_its_heartbeat(client: Client) -> None:
    beat(client, BY_AGE)
    person(client, "Ola", 12)
    person(client, "Kari", 40)
    assert names(pull_as_group(client)) == [b"Kari"]


def test_newer_expression_replaces_the_older(client: Client) -> None:
    person(client, "Ola", 12)
    person(client, "Kari", 40)
    beat(client, "age > 18", version=1)
    beat(client, "age < 18", version=2)
    assert names(pull_as_group(client, 2)) == [b"Ola"]
    beat(client, "age > 0", version=1)
    assert names(pull_as_group(client, 2)) == [b"Ola"]


def test_group_with_a_wrong_expression_is_told(client: Client) -> None:
    person(client, "Kari", 40)
    beat(client, "age >")
    answer = pull_as_group(client)
    assert answer.code == ResponseCode.FILTER_DATA_NOT_EXIST
    assert answer.remark == "The broker's consumer filter data is not exist!Your expression may be wrong!"
    beat(client, "age > 18", version=2)
    assert names(pull_as_group(client, 2)) == [b"Kari"]


def test_wrong_expression_in_a_pull_is_refused(client: Client) -> None:
    for wrong in ("age >", "", "a" * 10_000):
        answer = ask(client, wrong)
        assert (answer.code, answer.remark) == (
            ResponseCode.SUBSCRIPTION_PARSE_FAILED,
            "parse the consumer's subscription failed",
        )


def test_waiting_consumer_wakes_for_what_it_wants_only(broker: Broker, client: Client) -> None:
    fields = {**client.pull_fields("T", 0, tags=BY_AGE), "expressionType": "SQL92"}
    held = client.post(RequestCode.PULL_MESSAGE, {**fields, "sysFlag": "6", "suspendTimeoutMillis": "15000"})
    person(client, "Ola", 12)
    person(client, "Nils", 50, "Paris")
    assert client.answer_to(held) is None
    person(client, "Kari", 40)
    answer = client.answer_to(held)
    assert answer is not None
    assert names(answer) == [b"Kari"]


def test_client_hears_at_its_start_what_is_wrong(client: Client) -> None:
    assert check(client, BY_AGE).code == ResponseCode.SUCCESS
    assert check(client, "*", "TAG").code == ResponseCode.SUCCESS
    wrong = check(client, "age > ")
    assert (wrong.code, wrong.remark) == (
        ResponseCode.SUBSCRIPTION_PARSE_FAILED,
        'Encountered "<EOF>" at line 1, column 7.',
    )
    assert check(client, "age > 1", "GROOVY").code == ResponseCode.SUBSCRIPTION_PARSE_FAILED


def test_filter_is_off_unless_it_is_asked_for() -> None:
    client = Broker().client()
    client.create_topic("T")
    remark = "The broker does not support consumer to filter message by SQL92"
    beat(client, BY_AGE)
    for answer in (check(client, BY_AGE), ask(client, BY_AGE), pull_as_group(client)):
        assert (answer.code, answer.remark) == (ResponseCode.SYSTEM_ERROR, remark)


def test_tags_still_filter_beside_expressions(client: Client) -> None:
    client.send("T", b"tagged", "TAGS\x01TagA\x02")
    client.send("T", b"other", "TAGS\x01TagB\x02")
    assert names(ask(client, "TAGS = 'TagA'")) == [b"tagged"]
    assert [message.body for message in client.pull("T", subscription="TagB")] == [b"other"]


def stored_filters(broker: Broker) -> Any:
    return loads_bytes(broker.disk.read_bytes(broker.controller.store.config.root / "config" / "consumerFilter.json"))


def test_filters_are_written_as_apache_writes_them(broker: Broker, client: Client) -> None:
    beat(client, BY_AGE)
    broker.world.run_for(10_100)
    stored = stored_filters(broker)["filterDataByTopic"]["T"]
    assert stored["topic"] == "T"
    data = stored["groupFilterData"]["gc"]
    assert data.pop("bornTime") > 0
    assert data == {
        "bloomFilterData": {"bitNum": 112, "bitPos": bit_positions("gc#T")},
        "clientVersion": 1,
        "consumerGroup": "gc",
        "dead": False,
        "deadTime": 0,
        "expression": BY_AGE,
        "expressionType": "SQL92",
        "topic": "T",
    }


def test_group_that_is_gone_stays_for_a_day_and_comes_back_as_it_was(broker: Broker, client: Client) -> None:
    beat(client, BY_AGE)
    client.peer.connection.close()
    broker.world.run_for(11_000)
    data = stored_filters(broker)["filterDataByTopic"]["T"]["groupFilterData"]["gc"]
    assert data["dead"]
    broker.stop()
    again = broker.start_again()
    client = again.client()
    beat(client, BY_AGE, version=5)
    again.world.run_for(11_000)
    back = stored_filters(again)["filterDataByTopic"]["T"]["groupFilterData"]["gc"]
    assert (back["dead"], back["deadTime"], back["clientVersion"]) == (False, 0, 5)
    assert back["bornTime"] == data["bornTime"]
    beat(client, "*", kind="TAG", topic="Other")
    again.world.run_for(24 * 3600 * 1000)
    again.stop()
    assert stored_filters(again) == {"filterDataByTopic": {}}
