# SPDX-License-Identifier: Apache-2.0
"""The broker dies at any write while transactions run. Its producer remembers what it decided, as a database would.

Whatever happened: what was accepted as a half message ends as its producer decided, now or when it is asked; what it
committed arrives once, what it rolled back never.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
from tests.engine.broker.harness import Broker, Client
from tests.engine.broker.test_transaction import COMMIT, ROLLBACK, ROUND_MS, bodies, checks, end_fields, half
from tests.engine.fakes import FakeDisk, SimulatedCrash

from rmq.remoting.codes import RequestCode, ResponseCode

if TYPE_CHECKING:
    from rmq.broker.broker_config import SettingValue

TRANSACTIONS = 8
#: Writes of a whole run, and a little more: the last cases do not crash at all.
SYNC_RUN = 60
ASYNC_RUN = 45


@dataclass
class Producer:
    """Decides, tells the broker, and remembers: transaction -> decision, for those whose half message was accepted."""

    accepted: dict[str, str] = field(default_factory=dict)

    def run(self, client: Client) -> None:
        for number in range(TRANSACTIONS):
            uniq = f"U{number}"
            sent = half(client, uniq.encode(), uniq=uniq)
            assert sent.code == ResponseCode.SUCCESS
            self.accepted[uniq] = COMMIT if number % 2 else ROLLBACK
            if number % 4 == 3:
                # The local transaction takes its time; the broker asks and is not answered.
                client.heartbeat()
                client.world.run_for(ROUND_MS)
            if number % 4 != 2:
                answer = client.ask(RequestCode.END_TRANSACTION, end_fields(sent, self.accepted[uniq]))
                assert answer.code == ResponseCode.SUCCESS

    def answer_checks(self, client: Client, rounds: int) -> None:
        answered = 0
        for _ in range(rounds):
            client.heartbeat()
            client.world.run_for(ROUND_MS)
            for check in checks(client)[answered:]:
                answered += 1
                decision = self.accepted.get(check.ext_fields["transactionId"], ROLLBACK)
                client.ask(RequestCode.END_TRANSACTION, end_fields(check, decision, from_check=True))


def crash_and_go_on(disk: FakeDisk, settings: dict[str, SettingValue], at: int, lose: str) -> None:
    producer = Producer()
    broker = Broker(settings, disk=disk)
    client = broker.client()
    client.create_topic("T")
    client.heartbeat()
    disk.crash_at = disk.mutations + at
    with suppress(SimulatedCrash):
        producer.run(client)
    broker.reactor.crash()
    disk.crash(lose)
    client = broker.start_again().client()
    producer.answer_checks(client, 4)
    delivered = [body.decode() for body in bodies(client)]
    assert sorted(delivered) == [uniq for uniq, decision in producer.accepted.items() if decision == COMMIT]


@pytest.mark.parametrize("lose", ["all", "some"])
@pytest.mark.parametrize("at", range(1, SYNC_RUN, 2))
def test_transactions_end_as_decided_when_power_goes_at_any_write(at: int, lose: str) -> None:
    crash_and_go_on(FakeDisk(seed=at), {"flushDiskType": "SYNC_FLUSH"}, at, lose)


@pytest.mark.parametrize("at", range(1, ASYNC_RUN))
def test_transactions_end_as_decided_when_the_process_dies_at_any_write(at: int) -> None:
    crash_and_go_on(FakeDisk(seed=at), {}, at, "none")
