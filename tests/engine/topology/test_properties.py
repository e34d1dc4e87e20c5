# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rmq.topology.properties import FILE_MAX_BYTES, parse, render


def pairs(text: str | bytes) -> list[tuple[str, str, int]]:
    data = text if isinstance(text, bytes) else text.encode()
    return [(setting.key, setting.value, setting.line) for setting in parse(data, "broker.conf").settings]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("key=value", [("key", "value", 1)]),
        ("key:value\nother value", [("key", "value", 1), ("other", "value", 2)]),
        ("  key \t= \f value", [("key", "value", 1)]),
        ("# comment\n! comment\n\n  # another\nkey=1", [("key", "1", 5)]),
        ("key=a\\\n    b\\\n  c\nnext=1", [("key", "abc", 1), ("next", "1", 4)]),
        ("key=a\\\\\nnext=1", [("key", "a\\", 1), ("next", "1", 2)]),
        ("key=a\\\n# no comment here\nnext=1", [("key", "a# no comment here", 1), ("next", "1", 3)]),
        ("k\\u0065y=\\u4e2d\\t\\n", [("key", "中\t\n", 1)]),
        ("a\\=b\\:c\\ d=e=f", [("a=b:c d", "e=f", 1)]),
        ("key=", [("key", "", 1)]),
        ("key", [("key", "", 1)]),
        ("key=value\\", [("key", "value", 1)]),
        ("a=1\r\nb=2\rc=3", [("a", "1", 1), ("b", "2", 2), ("c", "3", 3)]),
        ("", []),
        ("\ufeffkey=1", [("key", "1", 1)]),
    ],
)
def test_reads_what_java_reads(text: str, expected: list[tuple[str, str, int]]) -> None:
    assert pairs(text) == expected


def test_blanks_at_the_end_of_a_value_are_kept_as_java_keeps_them() -> None:
    assert pairs("slaveReadEnable=true \nfileReservedTime=168\t") == [
        ("slaveReadEnable", "true ", 1),
        ("fileReservedTime", "168\t", 2),
    ]


def test_comment_in_another_encoding_is_no_fault() -> None:
    assert parse("# 刷盘方式\nkey=1".encode(), "f").faults == ()
    assert parse("# gr\u00fc\u00dfe\nkey=1".encode("latin-1"), "f").faults == ()


def test_value_outside_ascii_is_a_fault_that_shows_how_to_write_it() -> None:
    (fault,) = parse("# x\nstorePathRootDir=/数据".encode(), "broker.conf").faults
    assert fault.host == "broker.conf:2"
    assert fault.mend == "Write storePathRootDir=/\\u6570\\u636e"


def test_broken_unicode_escape_is_a_fault_with_its_line_and_the_rest_is_read() -> None:
    parsed = parse(b"a=1\nb=\\u12g4\nc=3", "broker.conf")
    assert [fault.host for fault in parsed.faults] == ["broker.conf:2"]
    assert [setting.key for setting in parsed.settings] == ["a", "c"]


def test_file_that_is_no_text_is_a_fault() -> None:
    (fault,) = parse(b"\x00\x01\x02", "f").faults
    assert fault.name == "file-unreadable"
    (fault,) = parse(b"a" * (FILE_MAX_BYTES + 1), "f").faults
    assert fault.name == "file-unreadable"


@given(st.dictionaries(st.text(min_size=1, max_size=20), st.text(max_size=40), max_size=8))
def test_what_is_rendered_is_read_back(values: dict[str, str]) -> None:
    parsed = parse(render(values).encode(), "f")
    assert parsed.faults == ()
    assert {setting.key: setting.value for setting in parsed.settings} == values


@given(st.binary(max_size=200))
def test_no_bytes_raise(data: bytes) -> None:
    parse(data, "f")
