# SPDX-License-Identifier: Apache-2.0
"""Files that are read at the start, mutated: the server starts, or says in one line which file it cannot read.

The commit log is not among them: what becomes of damage there is the store's own subject.
"""

from __future__ import annotations

import random
from functools import cache
from typing import TYPE_CHECKING

import pytest
from tests.engine.broker.harness import Broker
from tests.engine.fakes import FakeDisk, FakeWorld
from tests.engine.fuzz import run
from tests.engine.fuzz.mutation import NASTY, Mutator
from tests.engine.fuzz.samples import Sample
from tests.engine.fuzz.targets import BrokerTarget, NamesrvTarget
from tests.engine.namesrv.harness import NameServer

from rmq.namesrv.namesrv_controller import NamesrvError
from rmq.store.errors import StoreError
from rmq.topology.kind import Engine, Kind
from rmq.topology.properties import parse
from rmq.topology.settings import check

if TYPE_CHECKING:
    from pathlib import Path

CASES = max(60, run.FRAMES // 100)


@cache
def _broker_files() -> dict[Path, bytes]:
    """Those of a broker with a little of everything, after a clean stop."""
    target = BrokerTarget()
    target.samples()
    target.world.run_for(20_000)
    target.broker.client().ask(25, {}, b"maxTransferCountOnMessageInMemory=48\n")
    target.world.run_for(1_000)
    target.broker.stop()
    return dict(target.broker.disk.files())


@cache
def _namesrv_files() -> dict[Path, bytes]:
    target = NamesrvTarget()
    target.namesrv.client.ask(100, {"namespace": "n", "key": "k", "value": "v"})
    target.namesrv.client.ask(318, {}, b"orderMessageEnable=true\n")
    target.world.run_for(1_000)
    return dict(target.namesrv.disk.files())


def _disk_with_a_mutant(files: dict[Path, bytes], dice: random.Random) -> tuple[FakeDisk, Path]:
    disk = FakeDisk()
    victim = dice.choice([path for path in files if "commitlog" not in path.parts and path.name != "lock"])
    for path, data in files.items():
        if path == victim.with_name(victim.name + ".bak") and dice.random() < 0.5:
            continue
        disk.replace_file(path, _mutated(data, dice) if path == victim else data)
    return disk, victim


def _mutated(data: bytes, dice: random.Random) -> bytes:
    sample = Sample(0, {}, data)
    mutator = Mutator([sample, Sample(0, {}, b'{"table":{}}')], dice)
    for _ in range(dice.choice((1, 1, 2))):
        mutator.bend_body(sample)
    return sample.body


@pytest.mark.timeout(60 + CASES)
def test_a_broker_starts_or_names_the_file() -> None:
    dice = random.Random(f"{run.SEED}:broker files")
    started = 0
    for _ in range(CASES):
        disk, victim = _disk_with_a_mutant(_broker_files(), dice)
        try:
            broker = Broker(disk=disk)
        except StoreError as error:
            assert "\n" not in str(error)
            assert str(victim) in str(error), f"TEST_SEED={run.SEED}"
            continue
        except Exception as error:
            error.add_note(f"TEST_SEED={run.SEED}: {victim}: {disk.read_bytes(victim)[:2000]!r}")
            raise
        started += 1
        assert broker.client().ask(28).code == 0
        assert broker.controller.store.record_at(0) is not None
        broker.stop()
        assert broker.fatal == []
    assert started > CASES // 2


@pytest.mark.timeout(60 + CASES)
def test_a_name_server_starts_or_names_the_file() -> None:
    dice = random.Random(f"{run.SEED}:namesrv files")
    for _ in range(CASES):
        disk, victim = _disk_with_a_mutant(_namesrv_files(), dice)
        try:
            namesrv = NameServer(world=FakeWorld(), disk=disk)
        except NamesrvError as error:
            assert str(victim) in str(error), f"TEST_SEED={run.SEED}"
            continue
        except Exception as error:
            error.add_note(f"TEST_SEED={run.SEED}: {victim}: {disk.read_bytes(victim)[:2000]!r}")
            raise
        assert namesrv.client.ask(106).code == 0


PROPERTIES = b"brokerName=broker-a\nlistenPort=10911\nstorePathRootDir=/store\nbrokerRole=SYNC_MASTER\n# c\n"


@pytest.mark.timeout(60 + CASES)
@pytest.mark.parametrize("kind", list(Kind))
def test_any_properties_file_is_checked_without_an_error_of_ours(kind: Kind) -> None:
    dice = random.Random(f"{run.SEED}:properties")
    for _ in range(CASES):
        lines = _mutated(PROPERTIES, dice).splitlines()
        key = dice.choice(lines or [b"x"]).partition(b"=")[0]
        lines.append(key + b"=" + dice.choice(NASTY).encode("utf-8", "replace"))
        parsed = parse(b"\n".join(lines), "broker.conf")
        check(parsed.settings, engine=Engine.PYTHON, kind=kind)
