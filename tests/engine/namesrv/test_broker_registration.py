# SPDX-License-Identifier: Apache-2.0
"""How brokers come, beat and go."""

from __future__ import annotations

import struct
import zlib
from dataclasses import replace

import pytest
from tests.engine.namesrv.harness import TOPICS, Broker, NameServer

from rmq.remoting.bodies import DataVersion, QueueData, TopicConfig, TopicConfigSerializeWrapper
from rmq.remoting.codes import RequestCode, ResponseCode


@pytest.fixture
def server() -> NameServer:
    return NameServer()


def addresses(server: NameServer, name: str = "broker-a") -> dict[int, str]:
    data = server.clusters().broker_addr_table.get(name)
    return {} if data is None else data.broker_addrs


def test_a_registered_broker_has_its_routes_and_its_place_in_the_cluster(server: NameServer) -> None:
    answer = server.broker().register()
    assert (answer.code, answer.ext_fields, answer.body) == (ResponseCode.SUCCESS, {}, b"")
    route = server.route("TopicTest")
    assert route is not None
    assert route.queue_datas == [
        QueueData(broker_name="broker-a", perm=6, read_queue_nums=2, topic_sys_flag=0, write_queue_nums=2)
    ]
    assert route.broker_datas[0].broker_addrs == {0: "10.0.0.21:10911"}
    assert server.clusters().cluster_addr_table == {"C": ["broker-a"]}


@pytest.mark.parametrize("host", ["2001:db8::21", "[2001:db8::21]"])
def test_a_broker_of_an_ipv6_address_is_listed_as_it_writes_itself(server: NameServer, host: str) -> None:
    broker = server.broker()
    body = broker.body()
    fields = broker.fields(body) | {"brokerAddr": f"{host}:10911"}
    assert broker.ask(RequestCode.REGISTER_BROKER, fields, body).code == ResponseCode.SUCCESS
    assert addresses(server) == {0: f"{host}:10911"}


def test_a_slave_is_told_where_its_master_is(server: NameServer) -> None:
    slave = server.broker(broker_id=1, host="10.0.0.22")
    assert slave.register().ext_fields == {}
    server.broker().register()
    expected = {"masterAddr": "10.0.0.21:10911", "haServerAddr": "10.0.0.21:10912"}
    assert slave.register().ext_fields == expected
    assert addresses(server) == {0: "10.0.0.21:10911", 1: "10.0.0.22:10911"}


def test_the_first_registration_of_a_broker_must_not_hold_one_topic_alone(server: NameServer) -> None:
    broker = server.broker()
    answer = broker.register("TopicTest")
    assert (answer.code, answer.remark) == (ResponseCode.SYSTEM_ERROR, "register broker failed")
    assert server.clusters().broker_addr_table == {}
    broker.register()
    broker.add_topic("New")
    assert broker.register("New").code == ResponseCode.SUCCESS
    assert server.route("New") is not None
    assert server.route("TopicTest") is not None


def test_a_wrong_checksum_is_refused(server: NameServer) -> None:
    broker = server.broker()
    answer = broker.ask(RequestCode.REGISTER_BROKER, broker.fields(b"something else"), broker.body())
    assert (answer.code, answer.remark) == (1, "crc32 not match")


def test_checksum_0_is_not_checked(server: NameServer) -> None:
    broker = server.broker()
    answer = broker.ask(RequestCode.REGISTER_BROKER, broker.fields(bodyCrc32="0"), broker.body())
    assert answer.code == 0


def compressed(broker: Broker, *, claimed: int | None = None) -> bytes:
    """The body as Apache compresses it."""
    topics = [f"{name} 2 2 6 SINGLE_TAG {{}}".encode() for name in broker.topics]
    version = broker.data_version.encode()
    pieces = [struct.pack(">i", len(version) if claimed is None else claimed), version, struct.pack(">i", len(topics))]
    for topic in (*topics, b"[]"):
        pieces += [struct.pack(">i", len(topic)), topic]
    return zlib.compress(b"".join((*pieces, struct.pack(">i", 0))))


@pytest.mark.parametrize("flag", ["true", "false"])
def test_a_deflated_body_is_read_whether_the_header_says_so_or_not(server: NameServer, flag: str) -> None:
    broker = server.broker()
    body = compressed(broker)
    answer = broker.ask(RequestCode.REGISTER_BROKER, broker.fields(body, compressed=flag), body)
    assert answer.code == 0
    route = server.route("TopicTest")
    assert route is not None
    assert route.queue_datas[0].write_queue_nums == 2


@pytest.mark.parametrize(
    "body",
    [
        b"\x78no zlib",
        zlib.compress(struct.pack(">i", 0x7FFFFFFF)),
        zlib.compress(struct.pack(">i", -5)),
        zlib.compress(struct.pack(">i", 2) + b"{}" + struct.pack(">i", 0x7FFFFFFF)),
        zlib.compress(bytes(80 * 1024 * 1024), 9),
        b"not json",
        b"[]",
        b'{"topicConfigSerializeWrapper":{"topicConfigTable":{"T":{"perm":"x"}}}}',
    ],
    ids=range(8),
)
def test_a_body_that_lies_is_refused_and_leaves_nothing(server: NameServer, body: bytes) -> None:
    broker = server.broker()
    answer = broker.ask(RequestCode.REGISTER_BROKER, broker.fields(body), body)
    assert answer.code == ResponseCode.SYSTEM_ERROR
    assert "Failed to decode RegisterBrokerBody" in (answer.remark or "")
    assert server.clusters().broker_addr_table == {}


@pytest.mark.parametrize(
    "wrong",
    [
        {"brokerName": "../../x"},
        {"brokerName": ""},
        {"clusterName": "a b"},
        {"brokerId": "-1"},
        {"brokerId": "one"},
        {"brokerAddr": "192.161.2:9876"},
        {"brokerAddr": "nowhere"},
        {"bodyCrc32": "x"},
    ],
    ids=lambda wrong: "-".join(f"{key}={value}" for key, value in wrong.items()),
)
def test_a_broker_without_a_proper_name_or_address_is_refused(server: NameServer, wrong: dict[str, str]) -> None:
    broker = server.broker()
    body = broker.body()
    answer = broker.ask(RequestCode.REGISTER_BROKER, broker.fields(body) | wrong, body)
    assert answer.code == ResponseCode.SYSTEM_ERROR
    assert server.clusters().broker_addr_table == {}


def test_a_broker_older_than_3_0_11_sends_its_topics_bare(server: NameServer) -> None:
    broker = server.broker()
    body = TopicConfigSerializeWrapper(data_version=DataVersion(1, 0, 1), topic_config_table=broker.topics).encode()
    answer = broker.ask(RequestCode.REGISTER_BROKER, broker.fields(body), body, version=0)
    assert answer.code == 0
    assert server.route("TopicTest") is not None


def test_illegal_topic_names_get_no_route_and_the_others_do(server: NameServer) -> None:
    broker = server.broker(name="host.example.com")
    for name in ("../../x", "", ".hidden", "host.example.com", "%RETRY%g"):
        broker.topics[name] = TopicConfig(topic_name=name)
    assert broker.register().code == 0
    routed = [name for name in broker.topics if server.route(name) is not None]
    assert routed == [*TOPICS, "host.example.com", "%RETRY%g"]


def test_a_second_live_broker_with_the_same_name_and_id_is_refused(
    server: NameServer, caplog: pytest.LogCaptureFixture
) -> None:
    first, second = server.broker(), server.broker(host="10.0.0.31")
    first.register()
    for _ in range(3):
        server.world.run_for(10_000)
        answer = second.register()
        assert answer.code == ResponseCode.SYSTEM_ERROR
        assert "10.0.0.21:10911 of C holds that name and is alive" in (answer.remark or "")
        first.register()
    assert addresses(server) == {0: "10.0.0.21:10911"}
    assert "10.0.0.31:10911 is refused" in caplog.text


def test_a_broker_may_take_the_place_of_one_that_is_gone_or_silent(server: NameServer) -> None:
    first, second, third = server.broker(), server.broker(host="10.0.0.31"), server.broker(host="10.0.0.41")
    first.register()
    first.peer.connection.close()
    server.world.settle()
    assert second.register().code == 0
    server.world.run_for(46_000)
    assert third.register().code == 0
    assert addresses(server) == {0: "10.0.0.41:10911"}
    second.peer.connection.close()
    server.world.settle()
    assert addresses(server) == {0: "10.0.0.41:10911"}


def test_a_name_belongs_to_one_cluster_while_somebody_of_it_lives(server: NameServer) -> None:
    first, second = server.broker(), server.broker(host="10.0.0.31")
    second.cluster = "D"
    first.register()
    assert second.register().code == ResponseCode.SYSTEM_ERROR
    server.world.run_for(46_000)
    assert second.register().code == 0
    clusters = server.clusters()
    assert clusters.cluster_addr_table == {"D": ["broker-a"]}
    assert clusters.broker_addr_table["broker-a"].broker_addrs == {0: "10.0.0.31:10911"}


def test_a_slave_that_became_master_has_one_id(server: NameServer) -> None:
    slave = server.broker(broker_id=1)
    slave.register()
    slave.broker_id = 0
    slave.register()
    assert addresses(server) == {0: "10.0.0.21:10911"}


def test_a_closed_connection_ends_the_broker_at_once(server: NameServer) -> None:
    master, slave = server.broker(), server.broker(broker_id=1, host="10.0.0.22")
    master.register()
    slave.register()
    master.peer.connection.close()
    server.world.settle()
    assert addresses(server) == {1: "10.0.0.22:10911"}
    assert server.route("TopicTest") is not None, "consumers read on from the slave"
    slave.peer.connection.close()
    server.world.settle()
    assert server.route("TopicTest") is None
    assert server.clusters().cluster_addr_table == {}


def test_the_older_of_two_connections_of_a_broker_may_close(server: NameServer) -> None:
    old, new = server.broker(), server.broker()
    old.register()
    new.register()
    old.peer.connection.close()
    server.world.settle()
    assert addresses(server) == {0: "10.0.0.21:10911"}


def test_a_silent_broker_is_dropped_after_120_seconds_though_its_connection_is_open(server: NameServer) -> None:
    broker = server.broker()
    broker.register()
    for _ in range(3):
        server.world.run_for(39_000)
        broker.ask(RequestCode.GET_ALL_TOPIC_LIST_FROM_NAMESERVER)
    assert addresses(server) == {0: "10.0.0.21:10911"}
    server.world.run_for(10_000)
    assert addresses(server) == {}
    assert broker.peer.is_closed


def test_a_broker_may_ask_to_be_dropped_sooner(server: NameServer) -> None:
    broker = server.broker()
    body = broker.body()
    broker.ask(RequestCode.REGISTER_BROKER, broker.fields(body, heartbeatTimeoutMillis="10000"), body)
    server.world.run_for(16_000)
    assert addresses(server) == {}


def test_an_unregistered_broker_is_gone(server: NameServer) -> None:
    broker = server.broker()
    broker.register()
    assert broker.unregister().code == 0
    assert addresses(server) == {}
    assert server.route("TopicTest") is None
    assert broker.unregister().code == 0


def test_query_data_version_says_whether_a_registration_would_change_anything(server: NameServer) -> None:
    broker = server.broker()
    unknown = broker.ask(RequestCode.QUERY_DATA_VERSION, broker.fields(), broker.data_version.encode())
    assert (unknown.ext_fields, unknown.body) == ({"changed": "true"}, b"")
    broker.register()
    same = broker.ask(RequestCode.QUERY_DATA_VERSION, broker.fields(), broker.data_version.encode())
    assert (same.ext_fields, DataVersion.decode(same.body)) == ({"changed": "false"}, broker.data_version)
    newer = broker.data_version.next_version(5)
    other = broker.ask(RequestCode.QUERY_DATA_VERSION, broker.fields(), newer.encode())
    assert other.ext_fields == {"changed": "true"}


def test_query_data_version_is_a_sign_of_life(server: NameServer) -> None:
    broker = server.broker()
    broker.register()
    for _ in range(5):
        server.world.run_for(30_000)
        broker.ask(RequestCode.QUERY_DATA_VERSION, broker.fields(), broker.data_version.encode())
    assert addresses(server) == {0: "10.0.0.21:10911"}


def perms(server: NameServer, topic: str = "TopicTest") -> list[int]:
    route = server.route(topic)
    return [] if route is None else [queues.perm for queues in route.queue_datas]


def test_a_wiped_permission_survives_beats_and_single_topics_until_the_broker_comes_anew(server: NameServer) -> None:
    broker = server.broker()
    broker.register()
    answer = server.client.ask(RequestCode.WIPE_WRITE_PERM_OF_BROKER, {"brokerName": "broker-a"})
    assert answer.ext_fields == {"wipeTopicCount": "2"}
    broker.register()
    broker.add_topic("New")
    broker.register("New")
    broker.register()
    assert (perms(server), perms(server, "New")) == ([4], [6])
    broker.unregister()
    broker.register()
    assert perms(server) == [6]


def test_write_permission_comes_back(server: NameServer) -> None:
    server.broker().register()
    server.client.ask(RequestCode.WIPE_WRITE_PERM_OF_BROKER, {"brokerName": "broker-a"})
    answer = server.client.ask(RequestCode.ADD_WRITE_PERM_OF_BROKER, {"brokerName": "broker-a"})
    assert answer.ext_fields == {"addTopicCount": "2"}
    assert perms(server) == [6]
    nobody = server.client.ask(RequestCode.WIPE_WRITE_PERM_OF_BROKER, {"brokerName": "nobody"})
    assert (nobody.code, nobody.ext_fields) == (0, {"wipeTopicCount": "0"})


def test_topics_come_from_the_master_and_without_one_from_the_first_slave(server: NameServer) -> None:
    slave = server.broker(broker_id=1, host="10.0.0.22")
    slave.add_topic("OnlyAtSlave")
    server.broker().register()
    slave.register()
    assert server.route("OnlyAtSlave") is None
    server.broker(name="broker-b", broker_id=0, host="10.0.0.23")
    lonely = server.broker(name="broker-b", broker_id=2, host="10.0.0.24")
    lonely.add_topic("OnlyAtSlave")
    lonely.register()
    assert server.route("OnlyAtSlave") is not None


def test_topics_a_broker_has_no_more_can_be_dropped_with_its_beat() -> None:
    server = NameServer({"deleteTopicWithBrokerRegistration": True})
    broker = server.broker()
    broker.register()
    del broker.topics["TopicTest"]
    broker.add_topic("Other")
    broker.register()
    assert server.route("TopicTest") is None
    assert server.route("Other") is not None


def test_changed_queues_reach_the_route(server: NameServer) -> None:
    broker = server.broker()
    broker.register()
    before = server.route("TopicTest")
    broker.topics["TopicTest"] = replace(broker.topics["TopicTest"], write_queue_nums=8)
    broker.data_version = broker.data_version.next_version(3)
    broker.register()
    after = server.route("TopicTest")
    assert before is not None
    assert after is not None
    assert (before.queue_datas[0].write_queue_nums, after.queue_datas[0].write_queue_nums) == (2, 8)


@pytest.mark.parametrize(
    "code",
    [
        RequestCode.REGISTER_BROKER,
        RequestCode.UNREGISTER_BROKER,
        RequestCode.WIPE_WRITE_PERM_OF_BROKER,
        RequestCode.ADD_WRITE_PERM_OF_BROKER,
        RequestCode.UPDATE_NAMESRV_CONFIG,
    ],
)
def test_a_stranger_may_not_change_anything(server: NameServer, code: RequestCode) -> None:
    server.broker().register()
    stranger = server.broker(host="203.0.113.9")
    stranger.address = "10.0.0.21:10911"
    answer = stranger.ask(code, stranger.fields(), b"")
    assert answer.code == ResponseCode.NO_PERMISSION
    assert "203.0.113.9" in (answer.remark or "")
    assert stranger.ask(RequestCode.GET_ROUTEINFO_BY_TOPIC, {"topic": "TopicTest"}).code == 0


def test_registration_networks_are_the_operators_to_name() -> None:
    server = NameServer({"registrationNetworks": "203.0.113.0/24; 198.51.100.7"})
    assert server.broker(host="203.0.113.9").register().code == 0
    assert server.broker(name="broker-b", host="198.51.100.7").register().code == 0
    assert server.broker(name="broker-c", host="10.0.0.21").register().code == ResponseCode.NO_PERMISSION
    assert server.broker(name="broker-d", host="127.0.0.1").register().code == 0
    assert server.broker(name="broker-e", host="10.0.0.1").register().code == 0, "the name server's own address"


def test_a_network_that_is_none_is_named() -> None:
    with pytest.raises(ValueError, match=r"registrationNetworks: '10\.0\.0\.0/99' is neither an address nor a network"):
        NameServer({"registrationNetworks": "10.0.0.0/99"})
