# SPDX-License-Identifier: Apache-2.0
"""Every request that Apache 5.4.0 was asked, put to our broker and our name server in the same order.

An answer must have Apache's code, the same set of fields, and a JSON body of the same shape. What differs is listed
here with its reason; a difference that is gone must leave the list.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.engine.broker.harness import Broker
from tests.engine.fakes import FakeWorld
from tests.engine.golden.captured import CAPTURED
from tests.engine.golden.shape import differences
from tests.engine.namesrv.harness import ADDRESS, NameServer
from tests.engine.rpc.peer import Peer
from tests.interop.capture.asks import ASKS, Ask
from tests.interop.capture.conversation import encode, resolve

if TYPE_CHECKING:
    from rmq.broker.broker_config import SettingValue
    from rmq.remoting.command import RemotingCommand

#: Name of the ask -> what differs (as `compare` says it), and why.
DIFFERENCES: dict[str, tuple[set[str], str]] = {
    "consume_time_span": (
        {f"body.consumeTimeSpanSet[].{time}TimeStampStr: missing" for time in ("min", "max", "consume")},
        "Apache repeats its times as text in the broker's time zone; its own client does not read them",
    ),
    "resume_check_missing": (
        {"code 1 for 0"},
        "Apache puts any message that is named into the half topic; ours only a half message that is still open",
    ),
    **dict.fromkeys(
        ("create_user", "get_user", "list_users", "list_acls"),
        (
            {"code 16 for 1"},
            "Apache has no users where authentication is not configured; ours asks for a super user's signature first",
        ),
    ),
    "update_config_unknown": ({"code 29 for 0"}, "Apache drops unknown keys without a word; ours names them"),
}

SETTINGS: dict[str, SettingValue] = {
    "enablePropertyFilter": True,
    "recallMessageEnable": True,
    "namesrvAddr": f"{ADDRESS[0]}:{ADDRESS[1]}",
}


@pytest.fixture(scope="module")
def answers() -> dict[str, RemotingCommand]:
    """Ours, by the name of the ask."""
    world = FakeWorld()
    namesrv = NameServer(world=world)
    broker = Broker(SETTINGS, world=world)
    world.run_for(1_000)
    peers = {
        "broker": Peer(world, broker.address, "127.0.0.1"),
        "namesrv": Peer(world, ADDRESS, "10.0.0.9"),
    }
    fields: dict[str, dict[str, str]] = {}
    found: dict[str, RemotingCommand] = {}
    for opaque, ask in enumerate(ASKS, 1):
        found[ask.name] = _put(world, peers[ask.to], ask, opaque, fields)
        fields[ask.name] = found[ask.name].ext_fields
    assert namesrv.controller.server.counters.failed_requests == 0
    assert broker.controller.server.counters.failed_requests == 0
    return found


def _put(world: FakeWorld, peer: Peer, ask: Ask, opaque: int, fields: dict[str, dict[str, str]]) -> RemotingCommand:
    world.run_for(int(ask.wait_s * 1000) + 1)
    peer.send_bytes(encode(resolve(ask, fields, world.clock.now_ms()), opaque))
    world.run_for(200)
    (answer,) = [frame for frame in peer.frames if frame.is_response and frame.opaque == opaque]
    return answer


def compare(name: str, ours: RemotingCommand) -> set[str]:
    theirs = CAPTURED[name]
    header = theirs.response_header
    found = set()
    if ours.code != header["code"]:
        return {f"code {ours.code} for {header['code']}"}
    fields = (header.get("extFields") or {}).keys()
    found |= {f"field {key}: missing" for key in fields - ours.ext_fields.keys()}
    found |= {f"field {key}: not theirs" for key in ours.ext_fields.keys() - fields}
    if theirs.response_body[:1] == b"{":
        found |= set(differences(theirs.response_body, ours.body))
    elif bool(theirs.response_body) != bool(ours.body):
        found.add(f"body: {len(ours.body)} bytes for {len(theirs.response_body)}")
    return found


@pytest.mark.parametrize("name", [ask.name for ask in ASKS])
def test_the_answer_has_apaches_code_fields_and_shape(name: str, answers: dict[str, RemotingCommand]) -> None:
    allowed, _ = DIFFERENCES.get(name, (set(), ""))
    assert compare(name, answers[name]) == allowed, f"{answers[name]} {answers[name].body[:500]!r}"


def test_differences_are_of_asks_that_exist() -> None:
    assert DIFFERENCES.keys() <= CAPTURED.keys()
