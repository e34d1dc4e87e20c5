# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
from tests.engine.client.scripted_server import Peer, serving, unused_address

from rmq.client.address import parse_address, parse_name_servers
from rmq.client.connections import Connections
from rmq.client.errors import NoRouteError, RemotingConnectError, RemotingTimeoutError, ResponseError
from rmq.client.name_server import NameServers
from rmq.client.remoting_client import PIPELINE_DEPTH, RemotingClient
from rmq.remoting.bodies import ClusterInfo
from rmq.remoting.codes import RequestCode, ResponseCode
from rmq.remoting.command import RemotingCommand


def test_a_server_that_is_not_there_is_named() -> None:
    address = unused_address()
    with RemotingClient(address) as client, pytest.raises(RemotingConnectError, match=f"no connection to {address}: "):
        client.call(RequestCode.GET_BROKER_CLUSTER_INFO)


def test_a_server_that_does_not_answer_is_given_up_in_time() -> None:
    def silent(peer: Peer) -> None:
        peer.wait_for_close()

    with (
        serving(silent) as address,
        RemotingClient(address, timeout_ms=50) as client,
        pytest.raises(RemotingTimeoutError, match=r"did not answer GET_BROKER_CLUSTER_INFO \(106\) in time"),
    ):
        client.call(RequestCode.GET_BROKER_CLUSTER_INFO)


def test_an_answer_that_comes_late_is_not_taken_for_the_next_one() -> None:
    def late(peer: Peer) -> None:
        first = peer.receive()
        second = peer.receive()
        peer.answer(first, offset="1")
        peer.answer(second, offset="2")

    with serving(late) as address, RemotingClient(address) as client:
        with pytest.raises(RemotingTimeoutError):
            client.call(RequestCode.GET_MAX_OFFSET, timeout_ms=30)
        assert client.call(RequestCode.GET_MAX_OFFSET).ext_fields == {"offset": "2"}


def test_a_connection_closed_before_the_answer_is_an_error_and_the_next_call_connects_anew() -> None:
    def close(peer: Peer) -> None:
        peer.receive()

    def answer(peer: Peer) -> None:
        peer.answer(peer.receive())

    with serving(close, answer) as address, RemotingClient(address) as client:
        with pytest.raises(RemotingConnectError, match="closed the connection instead of answering"):
            client.call(RequestCode.GET_BROKER_CLUSTER_INFO)
        assert client.call(RequestCode.GET_BROKER_CLUSTER_INFO).code == 0


@pytest.mark.parametrize(
    "garbage", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\xff" * 64, b"\x00\x00\x00\x08\x00\x00\x00\x04null"]
)
def test_a_server_that_speaks_something_else_is_told_apart(garbage: bytes) -> None:
    def talk(peer: Peer) -> None:
        peer.receive()
        peer.send(garbage)
        peer.wait_for_close()

    with (
        serving(talk) as address,
        RemotingClient(address) as client,
        pytest.raises(RemotingConnectError, match="does not speak RocketMQ's protocol"),
    ):
        client.call(RequestCode.GET_BROKER_CLUSTER_INFO)


def test_an_error_answer_is_an_error_with_code_and_remark() -> None:
    def refuse(peer: Peer) -> None:
        peer.send(peer.receive().response(ResponseCode.TOPIC_NOT_EXIST, "No topic X\nSee the FAQ").encode())

    with serving(refuse) as address, RemotingClient(address) as client, pytest.raises(ResponseError) as caught:
        client.call(RequestCode.GET_ROUTEINFO_BY_TOPIC)
    assert caught.value.code == ResponseCode.TOPIC_NOT_EXIST
    assert caught.value.remark == "No topic X\nSee the FAQ"
    assert str(caught.value) == (
        f"{address} answered TOPIC_NOT_EXIST (17) to GET_ROUTEINFO_BY_TOPIC (105): No topic X See the FAQ"
    )


def test_requests_that_the_server_pushes_are_not_taken_for_answers() -> None:
    def push(peer: Peer) -> None:
        request = peer.receive()
        oneway = RemotingCommand(RequestCode.NOTIFY_CONSUMER_IDS_CHANGED, opaque=request.opaque, flag=2)
        asking = RemotingCommand(RequestCode.GET_CONSUMER_RUNNING_INFO, opaque=request.opaque)
        peer.send(oneway.encode() + asking.encode() + RemotingCommand(0, opaque=12345, flag=1).encode())
        refusal = peer.receive()
        assert (refusal.code, refusal.opaque) == (ResponseCode.REQUEST_CODE_NOT_SUPPORTED, request.opaque)
        assert refusal.is_response
        peer.answer(request, offset="7")

    with serving(push) as address, RemotingClient(address) as client:
        assert client.call(RequestCode.GET_MAX_OFFSET).ext_fields == {"offset": "7"}


def test_answers_in_any_order_come_back_in_the_order_of_the_requests() -> None:
    count = PIPELINE_DEPTH + 3

    def backwards(peer: Peer) -> None:
        for size in (PIPELINE_DEPTH, 3):
            for request in reversed([peer.receive() for _ in range(size)]):
                peer.answer(request, q=request.ext_fields["q"])

    requests = [RemotingCommand.request(RequestCode.GET_MAX_OFFSET, {"q": str(index)}) for index in range(count)]
    with serving(backwards) as address, RemotingClient(address) as client:
        answers = client.invoke_many(requests)
    assert [answer.ext_fields["q"] for answer in answers] == [str(index) for index in range(count)]


def test_of_several_name_servers_the_first_that_answers_is_taken() -> None:
    def answer(peer: Peer) -> None:
        request = peer.receive()
        body = ClusterInfo(cluster_addr_table={"C": ["broker-a"]}).encode()
        peer.send(request.response(0, body=body).encode())

    with serving(answer) as address, Connections() as connections:
        names = NameServers([unused_address(), address], connections)
        assert names.cluster_info().cluster_addr_table == {"C": ["broker-a"]}


def test_when_no_name_server_answers_each_is_named() -> None:
    addresses = [unused_address(), unused_address()]
    with Connections() as connections, pytest.raises(NoRouteError) as caught:
        NameServers(addresses, connections).cluster_info()
    assert all(address in str(caught.value) for address in addresses)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("h:1", ("h", 1)),
        ("[::1]:9876", ("::1", 9876)),
        ("fd00::2:10911", ("fd00::2", 10911)),
        (" a:65535 ", ("a", 65535)),
    ],
)
def test_addresses_are_read(text: str, expected: tuple[str, int]) -> None:
    assert parse_address(text) == expected


@pytest.mark.parametrize("text", ["", "host", "host:", ":9876", "host:0", "host:65536", "host:x", "host:٣"])
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="host:port"):
        parse_address(text)


def test_name_server_lists_are_read() -> None:
    assert parse_name_servers("a:1; b:2;") == ["a:1", "b:2"]
    with pytest.raises(ValueError, match="no name server"):
        parse_name_servers(" ; ")
