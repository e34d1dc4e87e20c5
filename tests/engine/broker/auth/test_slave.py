# SPDX-License-Identifier: Apache-2.0
"""A slave has its master's users and policies, and nobody on the way has them too."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.engine.broker.auth.harness import ADMIN, ALICE, INNER, PROTECTED, SigningClient
from tests.engine.broker.harness import Broker
from tests.engine.fakes import FakeDisk, FakeWorld
from tests.engine.namesrv.harness import NameServer

from rmq.broker.auth.auth_codes import GET_AUTH_METADATA
from rmq.broker.auth.sealed import SealError, seal, unseal
from rmq.remoting.codes import RequestCode
from rmq.remoting.signature import SessionCredentials

if TYPE_CHECKING:
    from rmq.broker.broker_config import SettingValue

SALT = bytes(range(16))


@given(st.binary(max_size=200), st.text(min_size=1), st.binary(min_size=1, max_size=64))
def test_what_was_sealed_opens_with_the_same_secret_and_nonce_alone(plain: bytes, secret: str, nonce: bytes) -> None:
    sealed = seal(plain, secret, nonce, SALT)
    assert unseal(sealed, secret, nonce) == plain
    for other in (secret + "x", nonce + b"x"):
        with pytest.raises(SealError):
            unseal(sealed, *((other, nonce) if isinstance(other, str) else (secret, other)))


def test_sealed_answer_shows_nothing_and_bears_no_change() -> None:
    sealed = seal(b"password of alice" * 4, "secret", b"nonce", SALT)
    assert b"alice" not in sealed
    for place in range(len(sealed)):
        changed = bytearray(sealed)
        changed[place] ^= 1
        with pytest.raises(SealError):
            unseal(bytes(changed), "secret", b"nonce")
    with pytest.raises(SealError):
        unseal(sealed[:40], "secret", b"nonce")
    assert seal(b"x" * 40, "secret", b"nonce", bytes(16)) != seal(b"x" * 40, "secret", b"nonce", SALT)


class Pair:
    def __init__(self) -> None:
        self.world = FakeWorld()
        NameServer(world=self.world)
        shared = {**PROTECTED, "namesrvAddr": "10.0.0.1:9876"}
        self.master = Broker({**shared, "brokerIP1": "10.0.1.1", "bindAddress": "10.0.1.1"}, world=self.world)
        slave: dict[str, SettingValue] = {
            "brokerIP1": "10.0.1.2",
            "bindAddress": "10.0.1.2",
            "brokerRole": "SLAVE",
            "brokerId": 1,
        }
        self.slave = Broker({**shared, **slave}, world=self.world, disk=FakeDisk())
        self.at_master, self.at_slave = SigningClient(self.master, ADMIN), SigningClient(self.slave, ADMIN)

    def wait_same(self) -> None:
        tables = [broker.controller.context.auth_metadata for broker in (self.master, self.slave)]
        self.world.run_until(lambda: tables[0].to_json_value() == tables[1].to_json_value(), 10_000)


@pytest.fixture
def pair() -> Pair:
    return Pair()


def test_user_and_policy_of_the_master_hold_at_the_slave(pair: Pair) -> None:
    pair.at_master.create_user(ALICE)
    pair.at_master.allow("Cluster:C", "Get")
    pair.wait_same()
    SigningClient(pair.slave, ALICE).ok(RequestCode.GET_BROKER_CONFIG)
    pair.at_master.ok(RequestCode.AUTH_DELETE_USER, {"username": "alice"})
    pair.wait_same()
    assert SigningClient(pair.slave, ALICE).refusal(28) == "User:alice is not found."
    assert "auth.json" in [path.name for path in pair.slave.disk.private_files]


def test_slave_copies_its_masters_tables_although_they_are_protected(pair: Pair) -> None:
    pair.at_master.create_topic("Copied")
    topics = pair.slave.controller.context.topics
    pair.world.run_until(lambda: topics.get("Copied") is not None, 10_000)


def test_mqadmin_brings_a_user_to_master_and_slave_in_any_order(pair: Pair) -> None:
    """-c CLUSTER: one request to each broker; the slave may have the user already."""
    pair.at_master.create_user(ALICE)
    pair.wait_same()
    pair.at_slave.create_user(ALICE)
    other = SessionCredentials("alice", "another")
    assert SigningClient(pair.slave, ADMIN).refusal(
        RequestCode.AUTH_CREATE_USER, {"username": "alice"}, json.dumps({"password": other.secret_key}).encode()
    ) == ("The user is existed")


def test_what_was_changed_at_the_slave_alone_becomes_the_masters_again(pair: Pair) -> None:
    pair.at_slave.create_user(ALICE)
    pair.wait_same()
    assert "alice" not in pair.slave.controller.context.auth_metadata.users


def test_answer_shows_no_password_even_to_who_holds_the_slaves_signature(pair: Pair) -> None:
    pair.at_master.create_user(ALICE)
    answer = SigningClient(pair.master, INNER).ok(GET_AUTH_METADATA, {"nonce": "00"})
    assert answer.body
    assert b"canary" not in answer.body
    assert b"alice" not in answer.body
    assert b"alice" in unseal(answer.body, INNER.secret_key, b"\x00")


@pytest.mark.parametrize("nonce", ["", "zz", "0", "00" * 65])
def test_nonce_has_a_form_and_a_limit(pair: Pair, nonce: str) -> None:
    answer = SigningClient(pair.master, INNER).ask(GET_AUTH_METADATA, {"nonce": nonce})
    assert (answer.code, answer.remark) == (29, "nonce is no hex")
