# SPDX-License-Identifier: Apache-2.0
"""A master that has its log from a slave goes on with the transactions and timed messages in it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.engine.broker.test_damage_repair import LOG
from tests.engine.broker.test_master_return import REBUILDING, SLAVE_ADDRESS, Pair, bodies
from tests.engine.broker.test_transaction import COMMIT, checks, end_fields, rounds
from tests.engine.fakes import FakeDisk

from rmq.remoting.codes import RequestCode
from rmq.remoting.message import decode_record
from rmq.remoting.topic_names import TIMER_TOPIC
from rmq.store.flush_service import QUEUE_CHECKPOINT_FILE

if TYPE_CHECKING:
    from tests.engine.broker.harness import Client

    from rmq.remoting.command import RemotingCommand


@pytest.fixture
def pair() -> Pair:
    return Pair()


def ask(client: Client, code: int, fields: dict[str, str], body: bytes = b"") -> RemotingCommand:
    """Its answer comes when a slave has it too."""
    posted = client.post(code, fields, body)
    client.world.run_until(lambda: client.answer_to(posted) is not None)
    answer = client.answer_to(posted)
    assert answer is not None and answer.code == 0
    return answer


def send_half(pair: Pair, client: Client, body: bytes, name: str) -> RemotingCommand:
    properties = f"TRAN_MSG\x01true\x02PGROUP\x01pg\x02UNIQ_KEY\x01{name}\x02"
    fields = client.send_fields("TopicTest", properties, f="4", g=str(pair.world.clock.now_ms()))
    return ask(client, RequestCode.SEND_MESSAGE_V2, fields, body)


def send_timed(client: Client, body: bytes) -> None:
    ask(client, RequestCode.SEND_MESSAGE_V2, client.send_fields("TopicTest", "TIMER_DELAY_SEC\x01120\x02"), body)


def send_each_kind(pair: Pair) -> None:
    """A transaction that is over, one that is open, and two messages of two minutes later."""
    client = pair.master.client()
    send_timed(client, b"first")
    over = send_half(pair, client, b"over", "U1")
    ask(client, RequestCode.END_TRANSACTION, end_fields(over, COMMIT))
    send_half(pair, client, b"open", "U2")
    send_timed(client, b"second")


def check_goes_on(pair: Pair) -> None:
    client = pair.master.client()
    rounds(client, 3)
    assert {decode_record(check.body).body for check in checks(client)} == {b"open"}
    rounds(client, 2)
    assert bodies(pair.master) == [b"over", b"first", b"second"]


def test_a_master_that_fetched_them(pair: Pair) -> None:
    pair.world.run_for(90_000)
    send_each_kind(pair)
    pair.return_with(pair.lose_power())
    check_goes_on(pair)


def test_a_master_that_is_rebuilt(pair: Pair) -> None:
    send_each_kind(pair)
    pair.world.run_for(3_000)
    pair.master.kill()
    pair.return_with(FakeDisk(), rebuild_from=SLAVE_ADDRESS)
    check_goes_on(pair)


def test_a_master_that_is_rebuilt_from_the_start(pair: Pair) -> None:
    """What the first try has left has lost its beginning."""
    send_each_kind(pair)
    pair.world.run_for(3_000)
    pair.master.kill()
    disk = FakeDisk()
    pair.return_with(disk, rebuild_from=SLAVE_ADDRESS)
    units = pair.master.controller.store.units(TIMER_TOPIC, 0, 1, 1)
    pair.master.kill()
    disk.replace_file(REBUILDING, SLAVE_ADDRESS.encode())
    disk.remove(Path("/store") / QUEUE_CHECKPOINT_FILE)
    assert units
    disk.corrupt(LOG, 0, bytes(units[0][0]))
    pair.return_with(disk, rebuild_from=SLAVE_ADDRESS)
    check_goes_on(pair)
