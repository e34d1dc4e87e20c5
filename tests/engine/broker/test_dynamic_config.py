# SPDX-License-Identifier: Apache-2.0
"""Settings changed over the wire: 25, and what 26 says then."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.engine.broker.harness import Broker, Client

from rmq.remoting.codes import RequestCode, ResponseCode
from rmq.store.errors import StoreError
from rmq.topology.properties import parse

OVERRIDES = Path("/store/config/broker.overrides.properties")


@pytest.fixture
def broker() -> Broker:
    return Broker()


@pytest.fixture
def client(broker: Broker) -> Client:
    return broker.client()


def config(client: Client) -> dict[str, str]:
    body = client.ok(RequestCode.GET_BROKER_CONFIG).body
    return {setting.key: setting.value for setting in parse(body, "").settings}


def update(client: Client, text: str) -> None:
    client.ok(RequestCode.UPDATE_BROKER_CONFIG, body=text.encode())


def test_a_change_is_in_force_at_once_and_survives_a_restart(broker: Broker, client: Client) -> None:
    update(client, "autoCreateTopicEnable=false\nfileReservedTime=24\n")
    assert client.send("Fresh").code == ResponseCode.TOPIC_NOT_EXIST
    answer = client.ok(RequestCode.GET_BROKER_CONFIG)
    assert answer.body.startswith(b"# Changed over the wire")
    assert b": autoCreateTopicEnable, fileReservedTime\n" in answer.body
    assert config(client)["autoCreateTopicEnable"] == "false"
    assert broker.controller.store.config.file_reserved_time_ms == 24 * 3600 * 1000
    broker.stop()
    again = broker.start_again()
    assert config(again.client())["fileReservedTime"] == "24"
    assert again.controller.store.config.file_reserved_time_ms == 24 * 3600 * 1000
    assert again.client().send("Fresh").code == ResponseCode.TOPIC_NOT_EXIST


def test_the_version_of_the_configuration_goes_on(client: Client) -> None:
    before = client.ok(RequestCode.GET_BROKER_CONFIG).ext_fields["version"]
    update(client, "fileReservedTime=24")
    assert client.ok(RequestCode.GET_BROKER_CONFIG).ext_fields["version"] != before


@pytest.mark.parametrize(
    ("body", "code", "remark"),
    [
        ("storePathRootDir=/x", ResponseCode.NO_PERMISSION, "Can not update config in black list."),
        ("rocketmqHome=/x\nfileReservedTime=24", ResponseCode.NO_PERMISSION, "Can not update config in black list."),
        ("fileReservdTime=24", ResponseCode.INVALID_PARAMETER, "Write fileReservedTime"),
        ("fileReservedTime=x", ResponseCode.INVALID_PARAMETER, "fileReservedTime takes a whole number"),
        ("fileReservedTime=-1", ResponseCode.INVALID_PARAMETER, "fileReservedTime"),
        ("brokerPermission=16", ResponseCode.INVALID_PARAMETER, "brokerPermission"),
        ("brokerName=other", ResponseCode.INVALID_PARAMETER, "brokerName: change the broker's file and restart it"),
        ("sendMessageThreadPoolNums=3", ResponseCode.INVALID_PARAMETER, "sendMessageThreadPoolNums: change"),
        ("enableControllerMode=true", ResponseCode.INVALID_PARAMETER, "masters are not elected here"),
        ("diskMaxUsedSpaceRatio=88", ResponseCode.INVALID_PARAMETER, "diskSpaceCleanForciblyRatio"),
        ("namesrvAddr=nowhere", ResponseCode.INVALID_PARAMETER, "namesrvAddr"),
    ],
)
def test_what_may_not_change_is_refused_and_nothing_changes(
    broker: Broker, client: Client, body: str, code: int, remark: str
) -> None:
    before = config(client)
    answer = client.ask(RequestCode.UPDATE_BROKER_CONFIG, body=body.encode())
    assert (answer.code, remark in (answer.remark or "")) == (code, True), answer.remark
    assert config(client) == before
    assert not broker.disk.exists(OVERRIDES)


def test_a_change_that_cannot_be_written_is_told(broker: Broker, client: Client) -> None:
    broker.disk.fail("replace_file", times=5)
    answer = client.ask(RequestCode.UPDATE_BROKER_CONFIG, body=b"fileReservedTime=24")
    assert answer.code == ResponseCode.SYSTEM_ERROR
    assert "could not be written" in (answer.remark or "")


def test_a_file_of_changes_that_was_tampered_with_stops_the_start(broker: Broker) -> None:
    broker.stop()
    broker.disk.replace_file(OVERRIDES, b"brokerName=other\n")
    with pytest.raises(StoreError, match=r"broker\.overrides\.properties"):
        broker.start_again()


def test_permission_without_writing_stops_ordered_sends_and_goes_on(client: Client) -> None:
    client.create_topic("Ordered", order="true")
    update(client, "brokerPermission=4")
    assert client.send("Ordered").code == ResponseCode.NO_PERMISSION
    update(client, "brokerPermission=6")
    assert client.send("Ordered").code == ResponseCode.SUCCESS


def test_automatic_topics_switched_on_bring_their_pattern() -> None:
    client = Broker({"autoCreateTopicEnable": False}).client()
    assert client.send("Fresh").code == ResponseCode.TOPIC_NOT_EXIST
    update(client, "autoCreateTopicEnable=true")
    assert client.send("Fresh").code == ResponseCode.SUCCESS
