# SPDX-License-Identifier: Apache-2.0
"""Messages with keys, and what a query finds of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.engine.store.store_case import ROOT, StoreCase, message

from rmq.remoting.message import decode_record

if TYPE_CHECKING:
    from pathlib import Path

    from tests.engine.fakes import FakeDisk

    from rmq.store import MessageToStore
    from rmq.store.query_message import QueryMessageResult

FOREVER = (0, 1 << 62)


def keyed(number: int, key: str = "", *, topic: str = "T", tag: str = "TagA", queue_id: int = 0) -> MessageToStore:
    keys = f"KEYS\x01{key}\x02" if key else ""
    tags = f"TAGS\x01{tag}\x02" if tag else ""
    properties = f"{keys}UNIQ_KEY\x01{unique(number)}\x02{tags}WAIT\x01true\x02"
    return message(number, topic, queue_id, tag="")._replace(properties=properties)


def unique(number: int) -> str:
    return f"0A0B0C0D00002A9F00000000{number:08X}"


def query(
    case: StoreCase,
    key: str,
    *,
    topic: str = "T",
    count: int = 64,
    is_tag: bool = False,
    between: tuple[int, int] = FOREVER,
) -> QueryMessageResult:
    results: list[QueryMessageResult] = []
    case.store.query_message(topic, key, between, results.append, max_count=count, is_tag=is_tag)
    case.reactor.run_until(lambda: bool(results))
    return results[0]


def found(case: StoreCase, key: str, **more: object) -> list[int]:
    """Physical offsets of what a query finds."""
    result = query(case, key, **more)  # type: ignore[arg-type]
    return [decode_record(bytes(frame), 0).physical_offset for frame in result.frames]


def put_keyed(case: StoreCase, numbers: range) -> dict[int, int]:
    """Physical offset by number; number n has the keys `k<n>` and `both`."""
    return {number: case.put(keyed(number, f"k{number} both")).physical_offset for number in numbers}


def index_files(disk: FakeDisk) -> list[Path]:
    return [ROOT / "index" / name for name in disk.listdir(ROOT / "index")]


def assert_all_found(case: StoreCase, offsets: dict[int, int]) -> None:
    for number, physical_offset in offsets.items():
        assert found(case, f"k{number}") == [physical_offset], number
        assert found(case, unique(number)) == [physical_offset], number


def checkpoint_gone(disk: FakeDisk) -> None:
    disk.remove(ROOT / "queueCheckpoint.json")
