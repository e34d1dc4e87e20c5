# SPDX-License-Identifier: Apache-2.0
"""400: which client gets which queues, and how it is to fetch them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.engine.broker.harness import Broker, Client
from tests.engine.namesrv.harness import ADDRESS, NameServer

from rmq.broker.pop.allocate import averagely, averagely_by_circle, for_pop
from rmq.remoting.bodies import BatchAck, MessageQueue, QueryAssignmentRequestBody
from rmq.remoting.codes import RequestCode, ResponseCode

TOPIC = "T"
GROUP = "gc"


def queues(count: int, broker: str = "broker-a") -> list[MessageQueue]:
    return [MessageQueue(broker, number, TOPIC) for number in range(count)]


def numbers(found: list[MessageQueue]) -> list[int]:
    return [queue.queue_id for queue in found]


def query(client: Client, client_id: str, strategy: str = "AVG", model: str = "CLUSTERING", topic: str = TOPIC) -> Any:
    body = QueryAssignmentRequestBody(client_id, GROUP, model, strategy, topic).encode()
    return json.loads(client.ok(RequestCode.QUERY_ASSIGNMENT, body=body).body)


def assigned(answer: Any) -> list[tuple[int, str]]:
    rows = answer["messageQueueAssignments"]
    return [(row["messageQueue"]["queueId"], row["mode"]) for row in rows]


def set_mode(client: Client, mode: str, share: int) -> None:
    body = {"topic": TOPIC, "consumerGroup": GROUP, "mode": mode, "popShareQueueNum": share}
    client.ok(RequestCode.SET_MESSAGE_REQUEST_MODE, body=json.dumps(body).encode())


def client_id(client: Client) -> str:
    host, port = client.peer.connection.local
    return f"{host}@{port}"


@pytest.fixture
def clients() -> list[Client]:
    broker = Broker()
    clients = [broker.client(f"10.0.0.{number}") for number in (1, 2, 3)]
    clients[0].create_topic(TOPIC, 4)
    for client in clients:
        client.heartbeat(GROUP, TOPIC)
    return clients


@pytest.mark.parametrize(
    ("clients", "count", "expected"),
    [(3, 8, [[0, 1, 2], [3, 4, 5], [6, 7]]), (2, 4, [[0, 1], [2, 3]]), (3, 2, [[0], [1], []]), (1, 3, [[0, 1, 2]])],
)
def test_averagely_gives_neighbours(clients: int, count: int, expected: list[list[int]]) -> None:
    names = [f"c{number}" for number in range(clients)]
    assert [numbers(averagely(name, queues(count), names)) for name in names] == expected


def test_by_circle_gives_one_to_each_in_turn() -> None:
    names = ["c0", "c1", "c2"]
    assert [numbers(averagely_by_circle(name, queues(8), names)) for name in names] == [[0, 3, 6], [1, 4, 7], [2, 5]]
    assert averagely_by_circle("stranger", queues(8), names) == []


@pytest.mark.parametrize(
    ("share", "clients", "expected"),
    [
        (0, 3, [[-1], [-1], [-1]]),
        (-1, 3, [[-1], [-1], [-1]]),
        (2, 3, [[-1], [-1], [-1]]),
        (1, 4, [[0, 1], [1, 2], [2, 3], [3, 0]]),
        (1, 6, [[0], [1], [2], [3], [0], [1]]),
    ],
)
def test_pop_shares_queues_with_so_many_neighbours(share: int, clients: int, expected: list[list[int]]) -> None:
    names = [f"c{number}" for number in range(clients)]
    assert [numbers(for_pop(averagely, name, queues(4), names, share)) for name in names] == expected


def test_pop_everywhere_names_each_broker_once() -> None:
    found = for_pop(averagely, "c0", queues(4) + queues(2, "broker-b"), ["c0"], 0)
    assert [(queue.broker_name, queue.queue_id) for queue in found] == [("broker-a", -1), ("broker-b", -1)]


def test_group_without_a_mode_pulls_its_share(clients: list[Client]) -> None:
    shares = [assigned(query(client, client_id(client))) for client in clients]
    assert shares == [[(0, "PULL"), (1, "PULL")], [(2, "PULL")], [(3, "PULL")]]
    assert assigned(query(clients[1], client_id(clients[1]), "AVG_BY_CIRCLE")) == [(1, "PULL")]


def test_group_set_to_pop_pops(clients: list[Client]) -> None:
    set_mode(clients[0], "POP", 0)
    assert assigned(query(clients[0], client_id(clients[0]))) == [(-1, "POP")]
    set_mode(clients[0], "POP", 1)
    assert assigned(query(clients[2], client_id(clients[2]))) == [(3, "POP"), (0, "POP"), (1, "POP")]
    set_mode(clients[0], "PULL", 0)
    assert assigned(query(clients[2], client_id(clients[2]))) == [(3, "PULL")]


def test_default_mode_does_not_count_for_retry_topics() -> None:
    broker = Broker({"defaultMessageRequestMode": "POP", "defaultPopShareQueueNum": -1})
    client = broker.client()
    client.create_topic(TOPIC, 4)
    client.heartbeat(GROUP, TOPIC)
    assert assigned(query(client, client_id(client))) == [(-1, "POP")]
    assert assigned(query(client, client_id(client), topic=f"%RETRY%{GROUP}")) == [(0, "PULL")]


def test_everybody_gets_everything_broadcasting_or_where_the_broker_does_not_balance(clients: list[Client]) -> None:
    everything = [(number, "PULL") for number in range(4)]
    assert assigned(query(clients[0], client_id(clients[0]), model="BROADCASTING")) == everything
    broker = Broker({"serverLoadBalancerEnable": False})
    client = broker.client()
    client.create_topic(TOPIC, 4)
    client.heartbeat(GROUP, TOPIC)
    assert assigned(query(client, client_id(client))) == everything


@pytest.mark.parametrize("what", ["strategy", "topic", "group", "client"])
def test_no_list_where_the_broker_cannot_say(clients: list[Client], what: str) -> None:
    me = client_id(clients[0])
    if what == "strategy":
        answer = query(clients[0], me, "MACHINE_ROOM")
    elif what == "topic":
        answer = query(clients[0], me, topic="nobody")
    elif what == "client":
        answer = query(clients[0], "")
    else:
        answer = query(Broker().client(), me)
    assert answer == {}


def test_queues_of_all_brokers_count() -> None:
    """As the name server knows them."""
    name_server = NameServer()
    address = "{}:{}".format(*ADDRESS)
    first = Broker({"namesrvAddr": address}, world=name_server.world)
    other_host = {"brokerName": "broker-b", "brokerIP1": "10.0.0.22", "bindAddress": "10.0.0.22"}
    second = Broker({"namesrvAddr": address, **other_host}, world=name_server.world)
    for broker in (first, second):
        broker.client().create_topic(TOPIC, 2)
    name_server.world.run_for(5_100)
    client = first.client()
    client.heartbeat(GROUP, TOPIC)
    body = QueryAssignmentRequestBody(client_id(client), GROUP, "CLUSTERING", "AVG", TOPIC).encode()
    request = client.post(RequestCode.QUERY_ASSIGNMENT, body=body)
    client.world.settle()
    answer = client.answer_to(request)
    assert answer is not None
    assert answer.code == ResponseCode.SUCCESS
    rows = json.loads(answer.body)["messageQueueAssignments"]
    found = [(row["messageQueue"]["brokerName"], row["messageQueue"]["queueId"]) for row in rows]
    assert found == [("broker-a", 0), ("broker-a", 1), ("broker-b", 0), ("broker-b", 1)]


def test_java_bit_set_is_read() -> None:
    """Bits 0, 2 and 9 as 5.4.0 writes them."""
    assert BatchAck(bits="BQI=", start_offset=5).acked_offsets(64) == [5, 7, 14]
