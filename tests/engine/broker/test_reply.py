# SPDX-License-Identifier: Apache-2.0
"""Request-reply: the reply reaches the one who asked, and the responder hears whether it did."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.engine.broker.harness import Broker, Client

from rmq.remoting.codes import RequestCode, ResponseCode
from rmq.remoting.message import decode_properties

if TYPE_CHECKING:
    from rmq.remoting.command import RemotingCommand

TOPIC = "C_REPLY_TOPIC"


class Pair:
    """A requester with a heartbeat, and a responder."""

    def __init__(self, settings: dict[str, str | int | float | bool] | None = None) -> None:
        self.broker = Broker(settings)
        self.requester = self.broker.client("10.0.0.1")
        self.responder = self.broker.client("10.0.0.2")
        self.requester.heartbeat()
        local = self.requester.peer.connection.local
        self.requester_id = f"{local[0]}@{local[1]}"

    def reply_fields(self, **more: str) -> dict[str, str]:
        to = f"REPLY_TO_CLIENT\x01{self.requester_id}\x02"
        return {**self.responder.send_fields(TOPIC, f"CORRELATION_ID\x01c-1\x02{to}"), **more}

    def reply(self) -> tuple[RemotingCommand, RemotingCommand]:
        """The reply as it was sent, and what was pushed to the requester."""
        request = self.responder.post(RequestCode.SEND_REPLY_MESSAGE_V2, self.reply_fields(), b"pong")
        pushes = [one for one in self.requester.pushed if one.code == RequestCode.PUSH_REPLY_MESSAGE_TO_CLIENT]
        assert len(pushes) == 1
        return request, pushes[0]

    def take(self, push: RemotingCommand, code: int = ResponseCode.SUCCESS) -> None:
        """The requester answers."""
        self.requester.peer.send(push.response(code, None))


def answer_to(client: Client, request: RemotingCommand) -> RemotingCommand:
    answer = client.answer_to(request)
    assert answer is not None
    return answer


def test_reply_reaches_the_requester_with_apaches_fields() -> None:
    pair = Pair()
    request, push = pair.reply()
    assert push.body == b"pong"
    assert not push.is_oneway
    fields = dict(push.ext_fields or {})
    properties = decode_properties(fields.pop("properties"))
    assert properties.pop("PUSH_REPLY_TIME") == fields.pop("storeTimestamp")
    assert properties == {"CORRELATION_ID": "c-1", "REPLY_TO_CLIENT": pair.requester_id}
    host, port = pair.responder.peer.connection.local
    assert fields == {
        "bornHost": f"{host}:{port}",
        "storeHost": "127.0.0.1:12311",
        "producerGroup": "pg",
        "topic": TOPIC,
        "defaultTopic": "TBW102",
        "defaultTopicQueueNums": "4",
        "queueId": "0",
        "sysFlag": "0",
        "bornTimestamp": "1795340464000",
        "flag": "0",
        "reconsumeTimes": "0",
        "unitMode": "false",
    }
    assert pair.responder.answer_to(request) is None, "not before the requester has it"
    pair.take(push)
    assert answer_to(pair.responder, request).code == ResponseCode.SUCCESS


def test_reply_by_the_long_names_is_taken_too() -> None:
    pair = Pair()
    names = "producerGroup topic defaultTopic defaultTopicQueueNums queueId sysFlag bornTimestamp flag properties"
    short = pair.reply_fields()
    fields = {name: short[letter] for letter, name in zip("abcdefghi", names.split(), strict=True)}
    request = pair.responder.post(RequestCode.SEND_REPLY_MESSAGE, fields, b"pong")
    (push,) = [one for one in pair.requester.pushed if one.code == RequestCode.PUSH_REPLY_MESSAGE_TO_CLIENT]
    pair.take(push)
    assert answer_to(pair.responder, request).code == ResponseCode.SUCCESS


def test_reply_is_stored_and_the_answer_names_it() -> None:
    pair = Pair()
    request, push = pair.reply()
    pair.take(push)
    (stored,) = pair.responder.pull(TOPIC)
    fields = answer_to(pair.responder, request).ext_fields or {}
    assert (stored.body, fields["msgId"], fields["queueOffset"]) == (b"pong", stored.message_id, "0")
    assert decode_properties(pair.reply_fields()["i"]).items() <= stored.properties.items()


def test_reply_is_not_stored_where_the_broker_is_told_not_to() -> None:
    pair = Pair({"storeReplyMessageEnable": False})
    request, push = pair.reply()
    pair.take(push)
    answer = answer_to(pair.responder, request)
    assert answer.ext_fields == {
        "TRACE_ON": "true",
        "MSG_REGION": "DefaultRegion",
        "msgId": "0",
        "queueId": "0",
        "queueOffset": "0",
    }
    assert pair.responder.pull(TOPIC) == []


def test_requester_that_refuses_is_reported() -> None:
    pair = Pair()
    request, push = pair.reply()
    pair.take(push, ResponseCode.SYSTEM_ERROR)
    answer = answer_to(pair.responder, request)
    assert (answer.code, answer.remark) == (1, f"push reply message to {pair.requester_id}fail.")


def test_requester_that_is_silent_is_given_up_after_ten_seconds() -> None:
    pair = Pair()
    request, _ = pair.reply()
    pair.broker.world.run_for(9_000)
    assert pair.responder.answer_to(request) is None
    pair.broker.world.run_for(2_000)
    answer = answer_to(pair.responder, request)
    assert (answer.code, answer.remark) == (1, f"push reply message to {pair.requester_id}fail.")


def test_requester_that_leaves_meanwhile_is_reported_at_once() -> None:
    pair = Pair()
    request, _ = pair.reply()
    pair.requester.peer.connection.close()
    pair.broker.world.run_for(10)
    assert answer_to(pair.responder, request).remark == f"push reply message to {pair.requester_id}fail."
    again = pair.responder.ask(RequestCode.SEND_REPLY_MESSAGE_V2, pair.reply_fields(), b"pong")
    assert again.remark == f"push reply message fail, channel of <{pair.requester_id}> not found."


def test_requester_that_unregistered_is_not_found() -> None:
    pair = Pair()
    pair.requester.ok(RequestCode.UNREGISTER_CLIENT, {"clientID": pair.requester_id, "producerGroup": "pg"})
    answer = pair.responder.ask(RequestCode.SEND_REPLY_MESSAGE_V2, pair.reply_fields(), b"pong")
    assert answer.remark == f"push reply message fail, channel of <{pair.requester_id}> not found."


def test_reply_without_requester_is_refused_and_still_stored() -> None:
    pair = Pair()
    fields = pair.responder.send_fields(TOPIC, "CORRELATION_ID\x01c-1\x02")
    answer = pair.responder.ask(RequestCode.SEND_REPLY_MESSAGE_V2, fields, b"pong")
    assert (answer.code, answer.remark) == (1, "reply message properties[REPLY_TO_CLIENT] is null")
    assert len(pair.responder.pull(TOPIC)) == 1


def test_reply_is_checked_as_any_send() -> None:
    pair = Pair()
    bad_queue = pair.responder.ask(RequestCode.SEND_REPLY_MESSAGE_V2, pair.reply_fields(e="99"), b"pong")
    assert bad_queue.code == ResponseCode.INVALID_PARAMETER
    forbidden = pair.responder.ask(RequestCode.SEND_REPLY_MESSAGE_V2, pair.reply_fields(b="SCHEDULE_TOPIC_XXXX"), b"x")
    assert forbidden.remark == "Sending message to topic[SCHEDULE_TOPIC_XXXX] is forbidden."
    assert not [one for one in pair.requester.pushed if one.code == RequestCode.PUSH_REPLY_MESSAGE_TO_CLIENT]
