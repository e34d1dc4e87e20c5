# SPDX-License-Identifier: Apache-2.0
"""A store whose files were damaged while nobody looked: one bit flipped anywhere, any file cut at any length.

Whatever happened: it opens, or refuses in one line that names the file; no message is served with other bytes than it
was put with; every message whose own bytes are whole is back under its own number.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
from tests.engine.broker.harness import Broker
from tests.engine.broker.test_damaged_config import files as broker_files
from tests.engine.fakes import FakeDisk
from tests.engine.store.store_case import LOG_FILE_BYTES, ROOT, StoreCase, message, messages_of

from rmq.store import StoreError

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator
    from pathlib import Path

    from rmq.store.query_message import QueryMessageResult

    from .conftest import PrintFigures, Sized

QUEUES = 3
COUNT = 360
SHORT_FLIPS = 400
FULL_FLIPS = 8000
SHORT_LENGTHS = 6
FULL_LENGTHS = 100

pytestmark = pytest.mark.timeout(1800)

Place = tuple[str, int, int]
"""Topic, queue id, queue offset."""


@dataclass(frozen=True)
class Filled:
    """The files of a store, and every record in them by its place, with where it begins in the log."""

    files: dict[Path, bytes]
    records: dict[Place, tuple[int, bytes]]
    keyed: list[bytes]

    def disk(self) -> FakeDisk:
        disk = FakeDisk()
        for path, data in self.files.items():
            disk.replace_file(path, data)
        return disk

    def whole_but(self, damage: range) -> dict[Place, bytes]:
        """Records of which no byte of the log lies in the range."""
        return {
            place: data
            for place, (at, data) in self.records.items()
            if at >= damage.stop or at + len(data) <= damage.start
        }


@dataclass
class Outcome:
    opened: int = 0
    refused: int = 0
    damaged: int = 0
    lost: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def text(self, what: str) -> str:
        return (
            f"{what}: {self.opened} opened, {self.refused} refused in one line, {self.damaged} with damaged messages,"
            f" lost {len(self.lost)}, served with wrong bytes {len(self.wrong)}"
        )


def fill(*, clean: bool, crc: bool = True) -> Filled:
    """Several files of everything; the last checkpoint of a store that is killed is in the middle."""
    case = StoreCase(append_prop_crc=crc)
    for first in range(0, COUNT, 30):
        for queue_id in range(QUEUES):
            for number in range(first, first + 10):
                one = message(number, queue_id=queue_id, size_bytes=40 + number // 10 * 8, tag=f"Tag{number % 3}")
                case.put(one._replace(properties=f"{one.properties}KEYS\x01key{number}\x02"))
        if first == COUNT // 2:
            case.reactor.run_for(70_000)
    case.put_many(5, "U")
    records = dict(read_all(case))
    assert len(records) == COUNT + 5
    keyed = query(case, "key5")
    assert len(keyed) == QUEUES
    files = (case.stop() if clean else case.kill()).files()
    return Filled({path: data for path, data in files.items() if path.name != "lock"}, records, keyed)


def query(case: StoreCase, key: str) -> list[bytes]:
    found: list[QueryMessageResult] = []
    case.store.query_message("T", key, (0, 1 << 62), found.append, max_count=32)
    case.reactor.run_until(lambda: bool(found))
    return [bytes(frame) for frame in found[0].frames]


def read_all(case: StoreCase) -> Iterator[tuple[Place, tuple[int, bytes]]]:
    """Every record that consumers are given, under the number that they are given it by."""
    for topic, queue_ids in case.store.queues().items():
        for queue_id in queue_ids:
            offset = case.store.min_offset(topic, queue_id)
            while offset < case.store.max_offset(topic, queue_id):
                result = case.store.get(topic, queue_id, offset, 32)
                assert result.next_begin_offset > offset, (topic, queue_id, result)
                for one in messages_of(result):
                    assert (one.topic, one.queue_id) == (topic, queue_id)
                    record = bytes(case.store.read_log(one.physical_offset, one.store_size))
                    yield (topic, queue_id, one.queue_offset), (one.physical_offset, record)
                offset = result.next_begin_offset


def judge(
    outcome: Outcome, filled: Filled, disk: FakeDisk, *, damage: range, what: str, may_refuse: bool = False
) -> None:
    """Open the store on the damaged disk and compare what it serves with what was put. damage: bytes of the log."""
    try:
        case = StoreCase(disk)
    except StoreError as error:
        outcome.refused += 1
        assert may_refuse, f"{what}: {error}"
        assert "\n" not in str(error), what
        assert re.search(r"/store(/\w+)*/\w[\w.]+", str(error)), f"{what}: no file is named in {error}"
        return
    outcome.opened += 1
    wanted = filled.whole_but(damage)
    outcome.damaged += len(wanted) < len(filled.records)
    found = dict(read_all(case))
    outcome.wrong += [f"{what}: {place}" for place, (_, data) in found.items() if filled.records[place][1] != data]
    outcome.lost += [f"{what}: {place}" for place in wanted if place not in found]
    keyed = query(case, "key5")
    outcome.wrong += [f"{what}: by key, {len(one)} bytes" for one in keyed if one not in filled.keyed]
    # It goes on: the next message of each queue gets the next number, and the store survives another stop.
    for queue_id in range(QUEUES):
        end = case.store.max_offset("T", queue_id)
        assert case.put_many(1, queue_id=queue_id)[0].queue_offset == end, what
    case.stop()


@pytest.mark.parametrize("clean", [True, False], ids=["clean-stop", "kill"])
@pytest.mark.parametrize("crc", [True, False], ids=["record-crc", "as-apache"])
def test_one_flipped_bit_anywhere(
    clean: bool, crc: bool, sized: Sized, dice: random.Random, print_figures: PrintFigures
) -> None:
    """Without the record's own CRC (Apache's default) a bit of a header cannot be seen: only bodies are looked at."""
    filled = fill(clean=clean, crc=crc)
    outcome = Outcome()
    for _ in sized(SHORT_FLIPS // 4, FULL_FLIPS // 4):
        path, position = somewhere(filled, dice, bodies_only=not crc)
        disk = filled.disk()
        bit = dice.randrange(8)
        disk.corrupt(path, position, bytes((filled.files[path][position] ^ 1 << bit,)))
        start = int(path.name) + position if path.parent.name == "commitlog" else -1
        what = f"bit {bit} of byte {position} of {path}"
        # Whose store it is must not be guessed.
        is_identity = path.name == "identity.json"
        judge(outcome, filled, disk, damage=range(start, start + 1), what=what, may_refuse=is_identity)
    print_figures(outcome.text("one bit flipped"))
    assert not outcome.wrong
    assert not outcome.lost


def somewhere(filled: Filled, dice: random.Random, *, bodies_only: bool) -> tuple[Path, int]:
    """Each file as often as another, and in it a byte that is in use."""
    path = dice.choice(sorted(filled.files))
    data = filled.files[path]
    if bodies_only and path.parent.name == "commitlog":
        start = int(path.name)
        inside = [(at, record) for at, record in filled.records.values() if start <= at < start + LOG_FILE_BYTES]
        if inside:
            at, record = dice.choice(inside)
            return path, at - start + dice.randrange(88, 88 + int.from_bytes(record[84:88], "big"))
    used = len(data.rstrip(b"\0")) or len(data)
    return path, dice.randrange(used) if used else 0


@pytest.mark.parametrize("clean", [True, False], ids=["clean-stop", "kill"])
def test_any_file_cut_at_any_length(
    clean: bool, sized: Sized, dice: random.Random, print_figures: PrintFigures
) -> None:
    filled = fill(clean=clean)
    outcome = Outcome()
    for _ in sized(SHORT_LENGTHS, FULL_LENGTHS):
        for path, data in filled.files.items():
            length = dice.randrange(len(data)) if data else 0
            disk = filled.disk()
            disk.open(path).truncate(length)
            in_log = path.parent.name == "commitlog"
            start = int(path.name) if in_log else 0
            damage = range(start + length, start + len(data)) if in_log else range(0)
            loses = in_log and len(filled.whole_but(damage)) < len(filled.records)
            judge(
                outcome,
                filled,
                disk,
                damage=damage,
                what=f"{path} cut to {length} of {len(data)}",
                may_refuse=loses or path.name == "identity.json",
            )
    print_figures(outcome.text("one file cut"))
    assert not outcome.wrong
    assert not outcome.lost


# What a whole broker has beside its messages; whose store it is, and what was set over the wire, have no second copy.
_BACKED = (
    "config/topics.json",
    "config/consumerOffset.json",
    "config/subscriptionGroup.json",
    "config/delayOffset.json",
)
_OTHERS = ("config/timercheck", "timerwheel")


def test_any_table_of_a_broker_cut_at_any_length(
    sized: Sized, dice: random.Random, print_figures: PrintFigures
) -> None:
    """One copy costs nothing. Both: made again, or refused in one line that says where both end."""
    whole = broker_files()
    opened = refused = 0
    for _ in sized(2, 100):
        for name in (*_BACKED, *_OTHERS):
            path = ROOT / name
            both = dice.random() < 0.5 and name in _BACKED
            disk = FakeDisk()
            for one, data in whole.items():
                is_cut = one == path or (both and one == path.with_name(path.name + ".bak"))
                disk.replace_file(one, data[: dice.randrange(len(data))] if is_cut else data)
            try:
                broker = Broker(disk=disk)
            except StoreError as error:
                refused += 1
                assert both, f"{name}: {error}"
                assert name != "config/topics.json"
                assert re.search(rf"{path}: .*(character|byte) \d+.*{path}\.bak: .*(character|byte) \d+", str(error))
                assert "\n" not in str(error)
                continue
            opened += 1
            found = [one for queue_id in range(3) for one in broker.client().pull("TopicTest", queueId=str(queue_id))]
            assert len(found) >= 6, name
            broker.stop()
    print_figures(f"{opened} opened with every message, {refused} refused in one line")
