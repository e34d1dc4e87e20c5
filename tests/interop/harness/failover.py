# SPDX-License-Identifier: Apache-2.0
"""The failover that 2m-2s-sync promises, played with official clients against whatever runs the brokers.

One round: messages are left unread on a master, it dies and stays down, the producer goes on at the other master, the
consumer gets what was left from the slave, the master comes back and its slave is in sync again.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from .waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .client import ClientProcess

# A client asks for the route every 30 s; a master that came back sooner would hide a slave that serves nobody.
KEPT_DOWN_S = 45.0
# One poll of the route, one retry of a pull, and air for a busy machine.
ROUTE_DEADLINE_S = 90.0


class Member(Protocol):
    """A broker of a pair."""

    @property
    def broker_name(self) -> str: ...

    @property
    def address(self) -> str: ...

    @property
    def is_alive(self) -> bool: ...

    def kill(self) -> None:
        """Gone at once, and down until it is brought back."""


class Pairs(Protocol):
    """Masters with a slave each."""

    def masters(self) -> Sequence[Member]: ...

    def slave_of(self, master: Member) -> Member: ...

    def bring_back(self, master: Member) -> None:
        """Returns when the master is registered everywhere and its slave is in sync."""


@dataclass(frozen=True)
class Figures:
    """What came of some rounds. `lost` and `duplicated` count messages that were answered SEND_OK."""

    rounds: int
    acknowledged: int
    lost: int
    duplicated: int

    def text(self) -> str:
        return f"rounds {self.rounds}, acknowledged {self.acknowledged}, lost {self.lost}, duplicated {self.duplicated}"


def play(pairs: Pairs, producer: ClientProcess, consumer: ClientProcess, *, rounds: int) -> Figures:
    """Plays the rounds, each time with the next master, and ends both clients. A missing message is a DeadlineError."""
    masters = pairs.masters()
    for turn in range(rounds):
        _one_round(pairs, masters[turn % len(masters)], masters[(turn + 1) % len(masters)], producer, consumer)
    producer.close_input()
    producer.finish()
    acknowledged = set(producer.acknowledged())
    wait_received(consumer, acknowledged, "every acknowledged message")
    consumer.close_input()
    done = consumer.finish()
    lost = len(acknowledged - set(consumer.received_keys()))
    return Figures(rounds, len(acknowledged), lost, done["received"] - done["distinct"])


def _one_round(pairs: Pairs, master: Member, other: Member, producer: ClientProcess, consumer: ClientProcess) -> None:
    name, slave = master.broker_name, pairs.slave_of(master)
    _wait_acknowledged_by(producer, name, 50, "before its death")
    consumer.freeze()
    _wait_acknowledged_by(producer, name, 100, "while the consumer stands still")
    master.kill()
    died = time.monotonic()
    left = {sent["key"] for sent in producer.of("sent") if sent["broker"] == name and sent["status"] == "SEND_OK"}
    left -= set(consumer.received_keys())
    consumer.thaw()
    _wait_acknowledged_by(producer, other.broker_name, 200, f"while {name} is down")
    wait_received(consumer, left, f"the {len(left)} messages left on {name}")
    # What the client had fetched before it stood still came from the master; all the rest only the slave can give.
    served_by = {received["servedBy"] for received in consumer.of("received") if received["key"] in left}
    assert slave.address in served_by, f"{left=} {served_by=}"
    wait_for(f"{KEPT_DOWN_S:g} s of outage", lambda: time.monotonic() - died >= KEPT_DOWN_S, within_s=2 * KEPT_DOWN_S)
    assert not master.is_alive, f"{name} was to stay down"
    pairs.bring_back(master)
    _wait_acknowledged_by(producer, name, 50, "after its return")


def wait_received(consumer: ClientProcess, keys: set[str], what: str) -> None:
    consumer.wait(what, lambda seen: keys <= set(seen.received_keys()), within_s=ROUTE_DEADLINE_S)


def _wait_acknowledged_by(producer: ClientProcess, broker_name: str, more: int, when: str) -> None:
    def count(client: ClientProcess) -> int:
        return sum(1 for sent in client.of("sent") if sent["broker"] == broker_name and sent["status"] == "SEND_OK")

    before = count(producer)
    producer.wait(
        f"{more} acknowledgements of {broker_name} {when}",
        lambda client: count(client) >= before + more,
        within_s=ROUTE_DEADLINE_S,
    )
