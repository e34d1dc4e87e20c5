# SPDX-License-Identifier: Apache-2.0
"""Who asks: signatures, users, white lists; and that nobody is shown a secret."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest
from tests.engine.broker.auth.harness import ADMIN, ALICE, INNER, PROTECTED, SigningClient, protected
from tests.engine.broker.harness import Broker

from rmq.broker.broker_config import BrokerConfig
from rmq.remoting.codes import RequestCode, ResponseCode
from rmq.remoting.command import RemotingCommand
from rmq.remoting.signature import SessionCredentials, is_signed_by, sign

CANARY = "canary"


def only_authenticated(**more: str) -> Broker:
    return Broker({**PROTECTED, "authorizationEnabled": False, **more})


def test_signature_is_the_one_that_apaches_hook_makes() -> None:
    """Made by AclClientRPCHook of rocketmq-client 5.4.0 for the fields a=1, b=2 and the body xyz."""
    request = RemotingCommand.request(10, {"b": "2", "a": "1"}, b"xyz")
    sign(request, SessionCredentials("ak", "12345678"))
    # HMAC-SHA1("12345678", "ak" "1" "2" "xyz"): capital letters come before small ones.
    assert request.ext_fields["Signature"] == "7bOuShlyAovH9YnDHJNY11C5cXg="
    assert is_signed_by(request, "12345678")
    assert not is_signed_by(request, "12345679")
    request.body = b"xyZ"
    assert not is_signed_by(request, "12345678")


def test_old_clients_add_a_field_after_they_have_signed() -> None:
    request = RemotingCommand.request(12, {"topic": "T"})
    request.version = 399
    sign(request, ADMIN)
    request.ext_fields["_UNIQUE_KEY_QUERY"] = "true"
    assert is_signed_by(request, ADMIN.secret_key)
    request.version = 400
    assert not is_signed_by(request, ADMIN.secret_key)


def test_request_without_a_right_signature_is_refused_in_apaches_words() -> None:
    broker = only_authenticated()
    assert SigningClient(broker, None).refusal(28) == "username cannot be null."
    assert SigningClient(broker, SessionCredentials("nobody", "x")).refusal(28) == "User:nobody is not found."
    assert SigningClient(broker, SessionCredentials("admin", "x")).refusal(28) == "check signature failed."
    half = SigningClient(broker, None)
    assert half.refusal(28, {"AccessKey": "admin"}) == "check signature failed."
    assert half.refusal(28, {"AccessKey": "admin", "Signature": "\u00fc"}) == "check signature failed."
    SigningClient(broker, ADMIN).ok(28)
    SigningClient(broker, INNER).ok(28)


def test_changed_body_field_or_user_breaks_the_signature() -> None:
    broker = only_authenticated()
    client = SigningClient(broker, None)
    for change in ("body", "field", "user"):
        request = RemotingCommand.request(RequestCode.GET_MAX_OFFSET, {"topic": "T", "queueId": "0"}, b"x")
        sign(request, ADMIN)
        fields, body = dict(request.ext_fields), request.body
        if change == "body":
            body = b"y"
        else:
            fields["queueId" if change == "field" else "AccessKey"] = "inner"
        assert client.refusal(request.code, fields, body) == "check signature failed."


def test_every_send_is_checked_although_the_fast_path_reads_it() -> None:
    broker = only_authenticated()
    admin, stranger = SigningClient(broker, ADMIN), SigningClient(broker, None)
    admin.create_topic("T")
    assert admin.send("T").code == ResponseCode.SUCCESS
    assert stranger.send("T").remark == "username cannot be null."
    wrong = SigningClient(broker, SessionCredentials("admin", "x"))
    assert wrong.send("T").remark == "check signature failed."


def test_one_way_request_of_a_stranger_does_nothing_and_is_not_answered() -> None:
    broker = only_authenticated()
    stranger = SigningClient(broker, None)
    fields = {"consumerGroup": "g", "topic": "T", "queueId": "0", "commitOffset": "5"}
    stranger.peer.send(RemotingCommand.request(RequestCode.UPDATE_CONSUMER_OFFSET, fields, oneway=True))
    assert stranger.peer.frames == []
    assert broker.controller.context.offsets.queues("g", "T") == {}


def test_disabled_user_is_refused_until_he_is_enabled_again() -> None:
    broker = only_authenticated()
    admin = SigningClient(broker, ADMIN)
    admin.create_user(ALICE)
    alice = SigningClient(broker, ALICE)
    alice.ok(28)
    change = {"username": "alice"}
    admin.ok(RequestCode.AUTH_UPDATE_USER, change, b'{"userStatus":"disable"}')
    assert alice.refusal(28) == "User:alice is disabled."
    admin.ok(RequestCode.AUTH_UPDATE_USER, change, b'{"userStatus":"ENABLE","password":"new"}')
    assert alice.refusal(28) == "check signature failed."
    admin.ok(RequestCode.AUTH_DELETE_USER, change)
    assert alice.refusal(28) == "User:alice is not found."


def test_white_list_spares_the_code_its_signature_and_no_other() -> None:
    broker = only_authenticated(authenticationWhitelist=" 28 ,46")
    stranger = SigningClient(broker, None)
    stranger.ok(28)
    assert stranger.refusal(26) == "username cannot be null."
    assert stranger.refusal(RequestCode.AUTH_LIST_USER) == "username cannot be null."


def test_white_list_gives_no_name_to_those_without_a_signature() -> None:
    """Apache takes the access key for granted then; here it counts when it is proven."""
    broker = protected(authenticationWhitelist="28")
    words = "Authorization failed. Please verify your access rights and try again."
    assert SigningClient(broker, None).refusal(28) == words
    assert SigningClient(broker, SessionCredentials("admin", "x")).refusal(28) == "check signature failed."
    SigningClient(broker, ADMIN).ok(28)
    SigningClient(protected(authenticationWhitelist="28", authorizationWhitelist="28"), None).ok(28)


def test_unprotected_broker_ignores_signatures_and_gates_nothing() -> None:
    broker = Broker()
    SigningClient(broker, SessionCredentials("anybody", "x")).ok(28)
    access, processor = broker.controller.context.access, broker.controller.processors.pull
    assert access.guard(RequestCode.PULL_MESSAGE, processor) is processor


def test_users_can_be_prepared_by_a_super_user_before_anything_is_protected() -> None:
    settings = {**PROTECTED, "authenticationEnabled": False, "authorizationEnabled": False}
    broker = Broker(settings)
    assert SigningClient(broker, None).refusal(RequestCode.AUTH_LIST_USER) == "username cannot be null."
    SigningClient(broker, ADMIN).create_user(ALICE)
    only_super = "Only a super user may read or change users where authorizationEnabled is false"
    assert SigningClient(broker, ALICE).refusal(RequestCode.AUTH_LIST_USER) == only_super


# -- secrets


def test_no_answer_log_or_readable_file_holds_a_secret(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    broker = protected()
    admin = SigningClient(broker, ADMIN)
    admin.create_user(ALICE)
    shown = [
        admin.ok(RequestCode.GET_BROKER_CONFIG),
        admin.ok(RequestCode.GET_BROKER_RUNTIME_INFO),
        admin.ok(RequestCode.AUTH_LIST_USER),
        admin.ok(RequestCode.AUTH_GET_USER, {"username": "alice"}),
        admin.ask(RequestCode.AUTH_CREATE_USER, {"username": "bob"}, b'{"password":"canary-1","userType":7}'),
        admin.ask(RequestCode.AUTH_CREATE_USER, {"username": "bob"}, b'{"password":{"canary":1}}'),
        admin.ask(RequestCode.AUTH_CREATE_USER, {"username": "bob"}, b'{"password":canary-2'),
        admin.ask(RequestCode.UPDATE_BROKER_CONFIG, None, b"initAuthenticationUser=canary-3\n"),
    ]
    assert "initAuthenticationUser=********" in shown[0].body.decode()
    assert [answer.code == ResponseCode.SUCCESS for answer in shown] == [True] * 4 + [False] * 4
    for answer in shown:
        assert CANARY not in f"{answer.remark}{answer.ext_fields}{answer.body.decode()}"
    assert CANARY not in caplog.text
    context = broker.controller.context
    assert CANARY not in f"{broker.controller.config!r}{context.auth_metadata.users!r}{ADMIN!r}"
    broker.stop()
    path = Path("/store/config/auth.json")
    holders = [
        name for name in broker.disk.listdir(path.parent) if b"canary" in broker.disk.read_bytes(path.parent / name)
    ]
    assert set(holders) <= {"auth.json", "auth.json.bak"}
    assert path in broker.disk.private_files
    assert "auth.json" in holders


def test_relayed_request_does_not_carry_the_administrators_signature() -> None:
    broker = protected()
    admin = SigningClient(broker, ADMIN)
    consumer = SigningClient(broker, ADMIN, "10.0.0.10")
    admin.create_topic("T")
    consumer.heartbeat("gc", "T")
    local = consumer.peer.connection.local
    fields = {"consumerGroup": "gc", "clientId": f"{local[0]}@{local[1]}", "jstackEnable": "false"}
    admin.post(RequestCode.GET_CONSUMER_RUNNING_INFO, fields)
    (call,) = [pushed for pushed in consumer.pushed if pushed.code == RequestCode.GET_CONSUMER_RUNNING_INFO]
    assert not {"AccessKey", "Signature", "SecurityToken"} & set(call.ext_fields)


# -- the start


def test_users_survive_a_restart_and_the_inner_secret_follows_the_file() -> None:
    broker = protected()
    SigningClient(broker, ADMIN).create_user(ALICE)
    SigningClient(broker, ADMIN).ok(RequestCode.AUTH_UPDATE_USER, {"username": "admin"}, b'{"password":"changed"}')
    broker.kill()
    other = json.dumps({"accessKey": "inner", "secretKey": "another"})
    again = broker.start_again({"innerClientAuthenticationCredentials": other})
    SigningClient(again, SessionCredentials("admin", "changed")).ok(28)
    assert SigningClient(again, ADMIN).refusal(28) == "check signature failed."
    SigningClient(again, SessionCredentials("inner", "another")).ok(28)
    assert "alice" in again.controller.context.auth_metadata.users


def test_damaged_table_of_users_stops_the_start_and_shows_nothing() -> None:
    broker = protected()
    SigningClient(broker, ADMIN).create_user(ALICE)
    broker.stop()
    for name in ("auth.json", "auth.json.bak"):
        broker.disk.replace_file(Path("/store/config") / name, b'{"users": {"alice": "canary"}}')
    with pytest.raises(Exception, match=r"auth\.json") as error:
        broker.start_again()
    assert CANARY not in str(error.value)


@pytest.mark.parametrize("text", ["canary", '{"username":"a"}', '{"username":"","password":"canary"}', "[1]"])
def test_wrong_credentials_are_refused_without_being_shown(text: str) -> None:
    with pytest.raises(ValueError, match="initAuthenticationUser takes") as error:
        Broker({**PROTECTED, "initAuthenticationUser": text})
    assert CANARY not in str(error.value)


def test_settings_name_no_user_by_default() -> None:
    config = BrokerConfig.from_settings({})
    assert (config.authentication_enabled, config.authorization_enabled) == (False, False)
    assert config.init_authentication_user == config.inner_client_authentication_credentials == ""
