# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rmq.remoting.command import RemotingCommand
from rmq.remoting.frame import FrameDecoder
from rmq.remoting.java_json import loads
from rmq.remoting.send_header import SendHeader
from rmq.remoting.surrogates import without_halves


def _as_java_writes_it(text: str) -> str:
    """Through the bytes of UTF-16, as Java holds it."""
    units = text.encode("utf-16-be", "surrogatepass").decode("utf-16-be", "replace")
    return units.replace("\ufffd", "?")


@given(st.text(st.sampled_from('\ud800\udbff\udc00\udfff\U0001f600\\"ud8 a\n\x00é')))
def test_halves_become_question_marks_and_nothing_else_changes(text: str) -> None:
    assert json.loads(without_halves(json.dumps(text))) == _as_java_writes_it(text)


@pytest.mark.parametrize("text", ['"\\ud800', '"\\', "\\ud8", '"\\ud800\\', "\\ud800\\udc"])
def test_text_that_is_no_json_stays_none(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        json.loads(without_halves(text))


def test_what_was_read_can_always_be_written() -> None:
    """A topic's attribute with half a character once kept topics.json from ever being written again."""
    assert loads('{"\\udfff":"\\ud83d\\ude00\\ud83d"}') == {"?": "\U0001f600?"}


@pytest.mark.parametrize("place", ["producer_group", "properties", "broker_name"])
def test_both_ways_to_read_a_send_agree_on_halves(place: str) -> None:
    header = SendHeader("g", "T", "TBW102", 4, 0, 0, 1795343239431, 0, "p", 0, False, 0, False, "b")
    header = header._replace(**{place: "XX"})  # type: ignore[arg-type]
    frame = RemotingCommand(310, language="JAVA", version=493, ext_fields=header.to_ext_fields()).encode()
    text = frame[8:].replace(b"XX", b"X\\ud800", 1)
    (command,) = FrameDecoder().feed((4 + len(text)).to_bytes(4, "big") + len(text).to_bytes(4, "big") + text)
    assert "X?" in command.ext_fields.values()
