# SPDX-License-Identifier: Apache-2.0
"""What clients and tools ask the name server, its key-value store and its own configuration."""

from __future__ import annotations

import pytest
from tests.engine.fakes import FakeDisk, FakeWorld
from tests.engine.namesrv.harness import HOME, NameServer

from rmq.namesrv import kv_config_manager
from rmq.namesrv.namesrv_controller import NamesrvError
from rmq.remoting.bodies import KVTable, TopicConfig, TopicList
from rmq.remoting.codes import RequestCode, ResponseCode
from rmq.remoting.command import RemotingCommand
from rmq.topology.properties import parse

KV_FILE = HOME / "namesrv" / "kvConfig.json"
OVERRIDES = HOME / "namesrv" / "namesrv.overrides.properties"


@pytest.fixture
def server() -> NameServer:
    return NameServer()


def restarted(server: NameServer) -> NameServer:
    return NameServer(world=FakeWorld(), disk=server.disk)


def topics(server: NameServer, code: int, fields: dict[str, str] | None = None) -> list[str]:
    return TopicList.decode(server.client.ask(code, fields).body).topic_list


# -- routes --


def test_the_form_of_a_route_follows_the_version_of_the_client(server: NameServer) -> None:
    server.broker().register()
    bodies = [
        server.client.ask(RequestCode.GET_ROUTEINFO_BY_TOPIC, {"topic": "TopicTest"}, version=version).body
        for version in (0, 400, 401, 493)
    ]
    assert [b'{"0":"10.0.0.21:10911"}' in body for body in bodies] == [False, False, True, True]
    assert b'{0:"10.0.0.21:10911"}' in bodies[0]


def test_a_route_without_a_topic_is_the_callers_fault(server: NameServer) -> None:
    answer = server.client.ask(RequestCode.GET_ROUTEINFO_BY_TOPIC)
    assert (answer.code, answer.remark) == (1, "the custom field <topic> is null")


def test_a_deleted_topic_has_no_route_until_its_broker_changes(server: NameServer) -> None:
    broker = server.broker()
    broker.register()
    server.client.ask(RequestCode.DELETE_TOPIC_IN_NAMESRV, {"topic": "TopicTest"})
    assert server.route("TopicTest") is None
    assert server.route("TBW102") is not None
    broker.register()
    assert server.route("TopicTest") is not None


def test_a_topic_is_deleted_in_one_cluster(server: NameServer) -> None:
    server.broker().register()
    other = server.broker(name="broker-b", host="10.0.0.31")
    other.cluster = "D"
    other.register()
    server.client.ask(RequestCode.DELETE_TOPIC_IN_NAMESRV, {"topic": "TopicTest", "clusterName": "C"})
    route = server.route("TopicTest")
    assert route is not None
    assert [queues.broker_name for queues in route.queue_datas] == ["broker-b"]


def test_topic_lists(server: NameServer) -> None:
    broker = server.broker()
    broker.topics |= {name: TopicConfig(topic_name=name, topic_sys_flag=flag) for name, flag in (("U", 1), ("S", 2))}
    broker.topics["US"] = TopicConfig(topic_name="US", topic_sys_flag=3)
    broker.register()
    every = ["TBW102", "TopicTest", "U", "S", "US"]
    assert topics(server, RequestCode.GET_ALL_TOPIC_LIST_FROM_NAMESERVER) == every
    assert topics(server, RequestCode.GET_TOPICS_BY_CLUSTER, {"cluster": "C"}) == every
    assert topics(server, RequestCode.GET_TOPICS_BY_CLUSTER, {"cluster": "unknown"}) == []
    assert topics(server, RequestCode.GET_SYSTEM_TOPIC_LIST_FROM_NS) == ["C", "broker-a"]
    assert topics(server, RequestCode.GET_UNIT_TOPIC_LIST) == ["U", "US"]
    assert topics(server, RequestCode.GET_HAS_UNIT_SUB_TOPIC_LIST) == ["S", "US"]
    assert topics(server, RequestCode.GET_HAS_UNIT_SUB_UNUNIT_TOPIC_LIST) == ["S"]


def test_topic_lists_can_be_switched_off() -> None:
    server = NameServer({"enableAllTopicList": False, "enableTopicList": False})
    for code in (
        RequestCode.GET_ALL_TOPIC_LIST_FROM_NAMESERVER,
        RequestCode.GET_TOPICS_BY_CLUSTER,
        RequestCode.GET_UNIT_TOPIC_LIST,
    ):
        answer = server.client.ask(code, {"cluster": "C"})
        assert (answer.code, answer.remark) == (ResponseCode.SYSTEM_ERROR, "disable")


def test_filter_servers_are_in_the_route_while_their_broker_has_them(server: NameServer) -> None:
    broker = server.broker()
    body = broker.body().replace(b'"filterServerList":[]', b'"filterServerList":["10.0.0.21:7000"]')
    broker.ask(RequestCode.REGISTER_BROKER, broker.fields(body), body)
    route = server.route("TopicTest")
    assert route is not None
    assert route.filter_server_table == {"10.0.0.21:10911": ["10.0.0.21:7000"]}
    broker.register()
    route = server.route("TopicTest")
    assert route is not None
    assert route.filter_server_table == {}


def test_an_unknown_code_is_not_supported(server: NameServer) -> None:
    answer = server.client.ask(RequestCode.SEND_MESSAGE)
    assert (answer.code, answer.remark) == (3, " request type 10 not supported")


# -- keys and values --


def put(server: NameServer, key: str = "TopicTest", value: str = "broker-a:4") -> int:
    fields = {"namespace": "ORDER_TOPIC_CONFIG", "key": key, "value": value}
    return server.client.ask(RequestCode.PUT_KV_CONFIG, fields).code


def test_a_value_can_be_put_read_listed_and_deleted(server: NameServer) -> None:
    name = {"namespace": "ORDER_TOPIC_CONFIG", "key": "TopicTest"}
    missing = server.client.ask(RequestCode.GET_KV_CONFIG, name)
    assert missing.code == ResponseCode.QUERY_NOT_FOUND
    assert missing.remark == "No config item, Namespace: ORDER_TOPIC_CONFIG Key: TopicTest"
    assert server.client.ask(RequestCode.GET_KVLIST_BY_NAMESPACE, name).code == ResponseCode.QUERY_NOT_FOUND
    assert put(server) == 0
    assert server.client.ask(RequestCode.GET_KV_CONFIG, name).ext_fields == {"value": "broker-a:4"}
    listed = server.client.ask(RequestCode.GET_KVLIST_BY_NAMESPACE, name)
    assert KVTable.decode(listed.body).table == {"TopicTest": "broker-a:4"}
    assert server.client.ask(RequestCode.DELETE_KV_CONFIG, name).code == 0
    assert server.client.ask(RequestCode.GET_KV_CONFIG, name).code == ResponseCode.QUERY_NOT_FOUND


def put_request(key: str) -> RemotingCommand:
    fields = {"namespace": "ORDER_TOPIC_CONFIG", "key": key, "value": "broker-a:4"}
    return RemotingCommand.request(RequestCode.PUT_KV_CONFIG, fields)


def test_values_are_on_disk_before_they_are_acknowledged(server: NameServer) -> None:
    server.reactor.hold_blocking = True
    peer = server.client.peer
    peer.send(put_request("TopicTest"))
    assert peer.frames == []
    server.reactor.hold_blocking = False
    server.world.settle()
    assert [frame.code for frame in peer.frames] == [0]
    assert server.disk.read_bytes(KV_FILE) == b'{"configTable":{"ORDER_TOPIC_CONFIG":{"TopicTest":"broker-a:4"}}}'
    again = restarted(server)
    answer = again.client.ask(RequestCode.GET_KV_CONFIG, {"namespace": "ORDER_TOPIC_CONFIG", "key": "TopicTest"})
    assert answer.ext_fields == {"value": "broker-a:4"}


def test_many_changes_share_writes_and_all_are_answered(server: NameServer) -> None:
    peer = server.client.peer
    server.reactor.hold_blocking = True
    for number in range(20):
        peer.send(put_request(f"T{number}"))
    server.reactor.hold_blocking = False
    server.world.settle()
    assert [frame.code for frame in peer.frames] == [0] * 20
    listed = restarted(server).client.ask(RequestCode.GET_KVLIST_BY_NAMESPACE, {"namespace": "ORDER_TOPIC_CONFIG"})
    assert len(KVTable.decode(listed.body).table) == 20


def test_a_value_that_cannot_be_written_is_answered_with_the_cause(server: NameServer) -> None:
    class FullDisk(FakeDisk):
        def replace_file(self, *_: object, **__: object) -> None:
            raise OSError(28, "No space left on device")

    server = NameServer(disk=FullDisk())
    assert put(server) == ResponseCode.SYSTEM_ERROR
    assert "No space left on device" in (server.client.peer.frames[-1].remark or "")


def test_a_damaged_file_stops_the_start_and_is_named(server: NameServer) -> None:
    server.disk.replace_file(KV_FILE, b'{"configTable":{"ORDER')
    with pytest.raises(NamesrvError, match=str(KV_FILE)):
        restarted(server)


def test_apaches_file_is_read(server: NameServer) -> None:
    server.disk.replace_file(KV_FILE, b'{\n\t"configTable":{"NS":{"a":"1"}}\n}')
    answer = restarted(server).client.ask(RequestCode.GET_KV_CONFIG, {"namespace": "NS", "key": "a"})
    assert answer.ext_fields == {"value": "1"}


def test_ordered_topics_are_told_to_brokers_and_where_wanted_to_clients() -> None:
    server = NameServer({"orderMessageEnable": True})
    broker = server.broker()
    broker.register()
    before = server.route("TopicTest")
    put(server)
    after = server.route("TopicTest")
    assert before is not None
    assert after is not None
    assert (before.order_topic_conf, after.order_topic_conf) == (None, "broker-a:4")
    assert KVTable.decode(broker.register().body).table == {"TopicTest": "broker-a:4"}


@pytest.mark.parametrize("fields", [{"namespace": "n"}, {"key": "k"}, {}])
def test_a_value_needs_a_namespace_and_a_key(server: NameServer, fields: dict[str, str]) -> None:
    answer = server.client.ask(RequestCode.PUT_KV_CONFIG, fields | {"value": "v"})
    assert (answer.code, answer.remark) == (1, "namespace or key is null")


def test_values_are_bounded(server: NameServer) -> None:
    assert put(server, value="x" * 70_000) == ResponseCode.INVALID_PARAMETER
    assert put(server, key="x" * 600) == ResponseCode.INVALID_PARAMETER


def test_all_values_together_are_bounded_and_a_deletion_makes_room(
    server: NameServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kv_config_manager, "TOTAL_CHARS_MAX", 200)
    assert [put(server, key, "x" * 60) for key in ("a", "b", "c")] == [0, 0, ResponseCode.INVALID_PARAMETER]
    assert put(server, "a", "y" * 60) == 0
    assert put(restarted(server), "c", "x" * 60) == ResponseCode.INVALID_PARAMETER
    server.client.ask(RequestCode.DELETE_KV_CONFIG, {"namespace": "ORDER_TOPIC_CONFIG", "key": "a"})
    assert put(server, "c", "x" * 60) == 0


# -- configuration --


def config(server: NameServer) -> dict[str, str]:
    body = server.client.ask(RequestCode.GET_NAMESRV_CONFIG).body
    return {setting.key: setting.value for setting in parse(body, "").settings}


def test_a_dynamic_key_takes_effect_and_survives_a_restart(server: NameServer) -> None:
    assert config(server)["orderMessageEnable"] == "false"
    answer = server.client.ask(RequestCode.UPDATE_NAMESRV_CONFIG, body=b"orderMessageEnable=true\n")
    assert answer.code == 0
    assert config(server)["orderMessageEnable"] == "true"
    assert server.disk.read_bytes(OVERRIDES) == b"orderMessageEnable=true\n"
    assert config(restarted(server))["orderMessageEnable"] == "true"


@pytest.mark.parametrize(
    ("body", "code", "remark"),
    [
        (b"kvConfigPath=/etc/passwd", 16, "Can not update config in black list."),
        (b"rocketmqHome=/x\norderMessageEnable=true", 16, "Can not update config in black list."),
        (b"orderMesageEnable=true", 29, "Write orderMessageEnable"),
        (b"orderMessageEnable=maybe", 29, "orderMessageEnable takes true or false"),
        (b"orderMessageEnable=true ", 29, "no blanks"),
        (b"listenPort=9999", 29, "listenPort: change the name server's file and restart it"),
        (b"registrationNetworks=0.0.0.0/0", 29, "registrationNetworks: change the name server's file"),
    ],
)
def test_what_may_not_change_is_refused_and_nothing_changes(
    server: NameServer, body: bytes, code: int, remark: str
) -> None:
    before = config(server)
    answer = server.client.ask(RequestCode.UPDATE_NAMESRV_CONFIG, body=body)
    assert answer.code == code
    assert remark in (answer.remark or "")
    assert config(server) == before
    assert not server.disk.exists(OVERRIDES)


@pytest.mark.parametrize("text", [b"listenPort=1\n", b"orderMessageEnable=perhaps\n"])
def test_a_file_of_changes_that_was_tampered_with_stops_the_start(server: NameServer, text: bytes) -> None:
    server.disk.replace_file(OVERRIDES, text)
    with pytest.raises(NamesrvError, match=r"namesrv\.overrides\.properties"):
        restarted(server)


def test_a_taken_address_is_named() -> None:
    server = NameServer()
    with pytest.raises(NamesrvError, match="Address already in use"):
        NameServer(world=server.world)
