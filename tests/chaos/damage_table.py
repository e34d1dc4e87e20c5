# SPDX-License-Identifier: Apache-2.0
"""What a broker serves after its files were damaged, of each engine: the same damage, the same reader.

    python -m tests.chaos.damage_table --anew      both engines, 25,000 messages; docs/damage-table.md is written anew

A store is filled once for each engine and each way to end it. For every row it is copied, damaged and opened by a real
broker; every message is read back by raw pull and compared with what was sent.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from tests.interop.harness import wire
from tests.interop.harness.cluster import Cluster
from tests.interop.harness.engine import ENGINES, ROOT, Engine
from tests.interop.harness.waiting import DeadlineError, wait_for

from rmq.remoting.codes import RequestCode, ResponseCode

from .plain_client import PlainClient, Sent, number_of

if TYPE_CHECKING:
    from collections.abc import Callable

TOPIC, QUEUES, GROUP = "K", 4, "damage_table"
FULL_COUNT = 25_000
PAGE = ROOT / "docs" / "damage-table.md"
_KEPT = ROOT / "build" / "damage-table.json"
LOG = "commitlog/00000000000000000000"
UNIT_BYTES = 20
# A body stands behind 88 bytes of a record whose hosts are IPv4 addresses.
BODY_AT, MAGIC_AT = 88, 4
# Behind the dispatcher of Apache's, which gives messages their units after the start.
_READY_S = 120.0
_BOOT_S = 300.0
#: The offset that the group has committed; written to consumerOffset.json at the latest 5 s later.
COMMITTED = 17


class _EndedError(Exception):
    """The broker is gone before its boot line."""


@dataclass
class Base:
    """A filled store and what was acknowledged of it."""

    store: Path
    sent: Sent

    @property
    def victim(self) -> int:
        """The number of a message in the middle."""
        return len(self.sent.acknowledged) // 2


@dataclass
class Seen:
    """What came back: numbers of whole messages, and how many were served with other bytes than were sent."""

    whole: set[int] = field(default_factory=set)
    wrong: int = 0
    refused: str = ""
    """Why the broker does not start."""
    notes: list[str] = field(default_factory=list)

    def text(self) -> str:
        if self.refused:
            return f"does not start: {self.refused}"
        parts = [f"{len(self.whole):,}"]
        if self.wrong:
            parts.append(f"and {self.wrong} with wrong bytes")
        return "; ".join([" ".join(parts), *self.notes])


@dataclass(frozen=True)
class Row:
    name: str
    exit: str
    """clean, or kill: how the broker had ended."""
    damage: Callable[[Base, Path], None] = lambda base, store: None
    loses: int = 0
    """Messages whose own bytes are damaged."""
    is_running: bool = False
    """The damage is done under the broker that has written the messages."""
    refused: str = ""
    """Ours does not start, and says this."""
    ours_alone: bool = False


# -- damage


def place_of(base: Base, store: Path) -> int:
    """Where the victim's record begins in the log."""
    data = (store / LOG).read_bytes()
    return data.index(b"%010d:" % base.victim) - BODY_AT


def write(path: Path, position: int, data: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(position)
        file.write(data)


def flip(path: Path, position: int) -> None:
    with path.open("rb") as file:
        file.seek(position)
        byte = file.read(1)[0]
    write(path, position, bytes((byte ^ 1,)))


def flip_body(base: Base, store: Path) -> None:
    flip(store / LOG, place_of(base, store) + BODY_AT + 20)


def zero_magic(base: Base, store: Path) -> None:
    write(store / LOG, place_of(base, store) + MAGIC_AT, bytes(4))


def flip_property(base: Base, store: Path) -> None:
    data = (store / LOG).read_bytes()
    flip(store / LOG, data.index(b"key%d\x02" % base.victim, place_of(base, store)) + 3)


def remove(*names: str) -> Callable[[Base, Path], None]:
    def damage(base: Base, store: Path) -> None:
        del base
        for name in names:
            path = store / name
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)

    return damage


def zero_queue(base: Base, store: Path) -> None:
    """From a sixth on: after unit 1,000 in the full form."""
    path = store / "consumequeue" / TOPIC / "1" / "00000000000000000000"
    start = len(base.sent.acknowledged) // QUEUES // 6 * UNIT_BYTES
    write(path, start, bytes(path.stat().st_size - start))


def cut_log(base: Base, store: Path) -> None:
    del base
    data = (store / LOG).read_bytes()
    with (store / LOG).open("r+b") as file:
        file.truncate(len(data.rstrip(b"\0")))


def cut(name: str, *, backup: str) -> Callable[[Base, Path], None]:
    """backup: whole or cut."""

    def damage(base: Base, store: Path) -> None:
        del base
        path = store / "config" / name
        text = path.read_bytes()
        half = text[: len(text) // 2]
        path.write_bytes(half)
        path.with_name(name + ".bak").write_bytes(text if backup == "whole" else half)

    return damage


def cut_queue_checkpoint(base: Base, store: Path) -> None:
    del base
    path = store / "queueCheckpoint.json"
    path.write_bytes(path.read_bytes()[:40])


ROWS = (
    Row("none, kill -9 under load", "kill"),
    Row("1 bit in a body in the middle", "clean", flip_body, loses=1),
    Row("1 bit in a body in the middle", "kill", flip_body, loses=1),
    Row("magic code zeroed in the middle", "kill", zero_magic, loses=1),
    Row("1 bit in the properties", "clean", flip_property, loses=1),
    Row("1 bit in a body while running, then a restart", "clean", flip_body, loses=1, is_running=True),
    Row("consumequeue/K/0 removed", "clean", remove("consumequeue/K/0")),
    Row("consumequeue/K/0 removed", "kill", remove("consumequeue/K/0")),
    Row("consumequeue removed", "clean", remove("consumequeue")),
    Row("consumequeue/K/1 zeroed after a sixth of its units", "clean", zero_queue),
    Row("checkpoint removed", "kill", remove("checkpoint")),
    Row("index removed", "clean", remove("index")),
    Row("commit log file cut to its used length", "clean", cut_log),
    Row("config/topics.json cut, .bak whole", "clean", cut("topics.json", backup="whole")),
    Row("config/topics.json and its .bak cut", "clean", cut("topics.json", backup="cut")),
    Row("config/consumerOffset.json cut, .bak whole", "clean", cut("consumerOffset.json", backup="whole")),
    Row(
        "config/consumerOffset.json and its .bak cut",
        "clean",
        cut("consumerOffset.json", backup="cut"),
        refused="consumerOffset.json",
    ),
    Row("queueCheckpoint.json cut", "kill", cut_queue_checkpoint, ours_alone=True),
    Row("timerwheel and timerlog removed", "clean", remove("timerwheel", "timerlog")),
)


# -- one engine


class Table:
    """One column. A context: the broker ends with it."""

    def __init__(self, engine: Engine, directory: Path, count: int) -> None:
        self._directory = directory
        self._count = count
        # Apache's own default: the column shows Apache as it comes.
        settings = {"enabledAppendPropCRC": "false"} if engine.name == "apache" else {}
        self._cluster = Cluster(engine, directory / "cluster", "single-master", settings=settings)
        self._broker = self._cluster.brokers["broker-a"]
        self._server = self._broker.server
        self._store = self._server.directory / "store"
        self.engine = engine
        self.bases: dict[str, Base] = {}
        self._running = Base(self._store, Sent())

    def __enter__(self) -> Table:
        for namesrv in self._cluster.namesrvs:
            namesrv.start()
            namesrv.wait_booted()
        for how in ("clean", "kill"):
            self.bases[how] = self._fill(how)
        return self

    def __exit__(self, *unused: object) -> None:
        self._cluster.__exit__()

    def _client(self) -> PlainClient:
        return PlainClient(self._server.address, TOPIC, QUEUES, body_bytes=512)

    def _start(self) -> None:
        """Raises _EndedError where the broker ends instead."""
        self._server.start()
        wait_for("boot line or end", self._has_booted, within_s=_BOOT_S, detail=self._server.tail)

    def _make_group(self, client: PlainClient) -> None:
        """Its offset is on the disk when this returns."""
        group = {"groupName": GROUP, "consumeEnable": True, "retryQueueNums": 1, "retryMaxTimes": 16}
        client.ask(RequestCode.UPDATE_AND_CREATE_SUBSCRIPTIONGROUP, {}, json.dumps(group).encode())
        client.ask(RequestCode.UPDATE_CONSUMER_OFFSET, _offset_fields() | {"commitOffset": str(COMMITTED)})
        offsets = self._store / "config" / "consumerOffset.json"
        wait_for("offset on the disk", lambda: GROUP in offsets.read_text(), within_s=_READY_S)

    def _fill(self, how: str) -> Base:
        """how: clean, kill, or run: it is not ended."""
        self._start()
        sent = Sent()
        with self._client() as client, contextlib.suppress(ConnectionError):
            client.send(iter(range(4)), sent)
            self._make_group(client)

            def is_enough() -> bool:
                if how == "kill" and len(sent.acknowledged) >= self._count and self._server.is_alive:
                    self._server.kill()
                return how == "kill" and not self._server.is_alive

            numbers = itertools.count(4) if how == "kill" else iter(range(4, self._count))
            client.send(numbers, sent, until=is_enough)
        if how == "run":
            return Base(self._store, sent)
        if how == "clean":
            self._server.stop()
        kept = self._directory / how
        _copy(self._store, kept)
        shutil.rmtree(self._store)
        return Base(kept, sent)

    def acknowledged(self, row: Row) -> dict[int, tuple[int, int]]:
        """Of the row that has run last."""
        return (self._running if row.is_running else self.bases[row.exit]).sent.acknowledged

    def run(self, row: Row) -> Seen:
        shutil.rmtree(self._store, ignore_errors=True)
        if row.is_running:
            seen = self._damage_running(row)
        else:
            base = self.bases[row.exit]
            _copy(base.store, self._store)
            row.damage(base, self._store)
            seen = self._open(base)
        if self._server.is_alive:
            self._server.stop()
        return seen

    def _damage_running(self, row: Row) -> Seen:
        base = self._running = self._fill("run")
        row.damage(base, self._store)
        while_running = self._read(base)
        self._server.stop()
        seen = self._open(base)
        seen.notes.append(f"while running {while_running.text()}")
        return seen

    def _open(self, base: Base) -> Seen:
        try:
            self._start()
        except _EndedError:
            lines = self._server.output.read_text(errors="replace").splitlines()
            said = [line for line in lines if "could not start" in line]
            cause = said[-1].partition("could not start: ")[2] if said else "says nothing"
            return Seen(refused=cause.replace(f"{self._store}/", "").replace("|", "/"))
        return self._read(base)

    def _has_booted(self) -> bool:
        """Looks once: a JVM on a busy machine takes minutes."""
        try:
            self._server.wait_booted()
        except DeadlineError as error:
            if not self._server.is_alive:
                raise _EndedError from error
            return False
        return True

    def _read(self, base: Base) -> Seen:
        wait_for("end of the dispatching", self._is_dispatched, within_s=_READY_S, detail=self._server.tail)
        seen = Seen()
        with self._client() as client:
            for queue_id in range(QUEUES):
                for one in client.messages(queue_id):
                    number = number_of(one)
                    if client.is_whole(one) and one.properties.get("KEYS") == f"key{number}":
                        assert number is not None
                        if base.sent.acknowledged.get(number) == (one.queue_id, one.queue_offset):
                            seen.whole.add(number)
                    else:
                        seen.wrong += 1
            asked = base.victim + 1
            if not client.count_by_key(asked):
                seen.notes.append("nothing is found by key")
            answer = client.ask(RequestCode.QUERY_CONSUMER_OFFSET, _offset_fields())
            if answer.code != ResponseCode.SUCCESS or answer.ext_fields["offset"] != str(COMMITTED):
                seen.notes.append("the group's offset is lost")
        return seen

    def _is_dispatched(self) -> bool:
        answer = wire.ask(self._server.address, wire.GET_BROKER_RUNTIME_INFO)
        # Apache's refuses to say while it is busy.
        return answer.code == ResponseCode.SUCCESS and answer.json()["table"]["dispatchBehindBytes"] == "0"


def _offset_fields() -> dict[str, str]:
    return {"consumerGroup": GROUP, "topic": TOPIC, "queueId": "0"}


def _copy(source: Path, target: Path) -> None:
    """Holes stay holes."""
    subprocess.run(["cp", "-a", "--sparse=always", str(source), str(target)], check=True)


# -- the page


Found = dict[str, tuple[str, str]]
"""Messages acknowledged and what was read back, by engine, row and exit: kept from run to run in _KEPT."""


def measure(engine: Engine, directory: Path, count: int, found: Found) -> None:
    """Play the rows that are not there yet; what is found is kept after each."""
    missing = [
        row for row in ROWS if _key(engine, row) not in found and not (row.ours_alone and engine.name != "python")
    ]
    if not missing:
        return
    with Table(engine, directory / engine.name, count) as table:
        for row in missing:
            started = time.monotonic()
            seen = table.run(row)
            found[_key(engine, row)] = (f"{len(table.acknowledged(row)):,}", seen.text())
            _KEPT.parent.mkdir(exist_ok=True)
            _KEPT.write_text(json.dumps(found, indent=1))
            took_s = time.monotonic() - started
            sys.stderr.write(f"{engine.name:7} {row.name}, {row.exit}: {seen.text()} ({took_s:.0f} s)\n")


def _key(engine: Engine, row: Row) -> str:
    return f"{engine.name}: {row.name}: {row.exit}"


def page(found: Found) -> str:
    lines = [
        "# Damage and what is read back",
        "",
        "Generated by `make damage-table`: real brokers of both engines on loopback. A store of each is filled, ended,",
        "copied, damaged and opened again; every message is read back by raw pull. Apache is 5.4.0 with its defaults.",
        "A dash: not measured yet, or a file that this engine does not have.",
        "",
        "| damage | exit before | sent to Apache | read back | sent to Python | read back |",
        "|---|---|---|---|---|---|",
    ]
    for row in ROWS:
        cells = [row.name, row.exit]
        for name in ("apache", "python"):
            cells += found.get(_key(ENGINES[name], row), ("-", "-"))
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description="Damage stores of both engines and read them back.")
    parser.add_argument("--count", type=int, default=FULL_COUNT, help="messages in a store")
    parser.add_argument("--engine", choices=sorted(ENGINES), help="measure this one only")
    parser.add_argument("--anew", action="store_true", help=f"forget what {_KEPT.relative_to(ROOT)} has")
    options = parser.parse_args()
    engines = [ENGINES[options.engine]] if options.engine else [ENGINES["python"], ENGINES["apache"]]
    found: Found = {}
    if _KEPT.exists() and not options.anew:
        found = {key: (sent, back) for key, (sent, back) in json.loads(_KEPT.read_text()).items()}
    with tempfile.TemporaryDirectory() as directory:
        for engine in engines:
            measure(engine, Path(directory), options.count, found)
    text = page(found)
    PAGE.write_text(text)
    sys.stdout.write(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
