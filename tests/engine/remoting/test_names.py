# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rmq.remoting import perm
from rmq.remoting.codes import LANGUAGE_NUMBERS, RequestCode, ResponseCode
from rmq.remoting.java_hash import extend_hash, string_hash, tag_hash, to_signed
from rmq.remoting.topic_names import check_group, check_topic, dlq_topic, is_system_topic, reply_topic, retry_topic
from rmq.remoting.version import CURRENT_VERSION, CURRENT_VERSION_DESCRIPTION, version_description


@pytest.mark.parametrize(
    ("text", "value"),
    [("", 0), ("TagA", 2598919), ("d", 0x64), ("TopicTest#k1", 2746024), ("中文", 646394), ("😀", 1772899)],
)
def test_a_text_is_hashed_as_java_hashes_it(text: str, value: int) -> None:
    units = text.encode("utf-16-be")
    expected = 0
    for index in range(0, len(units), 2):
        expected = (expected * 31 + int.from_bytes(units[index : index + 2], "big")) % 2**32
    assert to_signed(expected) == value
    assert string_hash(text) == tag_hash(text) == value


@given(st.text(), st.text())
def test_a_hash_can_be_continued_from_a_prefix(prefix: str, rest: str) -> None:
    assert to_signed(extend_hash(string_hash(prefix), rest)) == string_hash(prefix + rest)


@pytest.mark.parametrize("name", ["T", "a-b_c|d", retry_topic("g"), dlq_topic("g" * 250), "t" * 127])
def test_a_legal_topic_has_no_fault(name: str) -> None:
    assert check_topic(name) is None


@pytest.mark.parametrize(
    ("name", "remark"),
    [
        ("", "The specified topic is blank."),
        (" ", "The specified topic is blank."),
        (
            "bad topic!",
            "The specified topic: bad topic!, contains illegal characters, allowing only ^[%|a-zA-Z0-9_-]+$",
        ),
        ("../../x", "The specified topic: ../../x, contains illegal characters, allowing only ^[%|a-zA-Z0-9_-]+$"),
        ("x\n", "The specified topic: x\n, contains illegal characters, allowing only ^[%|a-zA-Z0-9_-]+$"),
        ("é", "The specified topic: é, contains illegal characters, allowing only ^[%|a-zA-Z0-9_-]+$"),
        ("t" * 128, "The specified topic: " + "t" * 128 + ", is longer than topic max length: 127"),
    ],
)
def test_an_illegal_topic_is_refused_in_apaches_words(name: str, remark: str) -> None:
    assert check_topic(name) == remark


def test_retry_and_dead_letter_topics_may_be_longer() -> None:
    assert check_topic("%RETRY%" + "g" * 248) is None
    remark = check_topic("%RETRY%" + "g" * 249)
    assert remark is not None
    assert remark.endswith("it's longer than topic max length: 255")


@pytest.mark.parametrize(("name", "ending"), [("", "blank."), ("a b", "_-]+$"), ("g" * 121, "max length: 120")])
def test_an_illegal_group_is_refused_in_apaches_words(name: str, ending: str) -> None:
    remark = check_group(name)
    assert remark is not None
    assert remark.endswith(ending)
    assert check_group("g" * 120) is None


def test_system_topics_are_known() -> None:
    assert is_system_topic("SCHEDULE_TOPIC_XXXX")
    assert is_system_topic("rmq_sys_wheel_timer")
    assert not is_system_topic("TopicTest")
    assert reply_topic("C") == "C_REPLY_TOPIC"


def test_permissions_read_as_apache_shows_them() -> None:
    assert [perm.perm_text(value) for value in (0, 2, 4, 6, 7)] == ["---", "-W-", "R--", "RW-", "RWX"]
    assert perm.is_valid(7)
    assert not perm.is_valid(8)
    assert not perm.is_valid(-1)


def test_codes_and_languages_have_their_numbers() -> None:
    assert (RequestCode.SEND_MESSAGE_V2, RequestCode.POP_MESSAGE) == (310, 200050)
    assert (ResponseCode.FLUSH_SLAVE_TIMEOUT, ResponseCode.TOPIC_NOT_EXIST) == (12, 17)
    assert (LANGUAGE_NUMBERS["JAVA"], LANGUAGE_NUMBERS["PYTHON"], LANGUAGE_NUMBERS["NODE_JS"]) == (0, 3, 13)


def test_versions_are_shown_as_apache_shows_them() -> None:
    assert version_description(CURRENT_VERSION) == CURRENT_VERSION_DESCRIPTION == "V5_4_0"
    assert version_description(399) == "V4_9_3"
    assert version_description(492) == "V5_4_0_SNAPSHOT"
    assert version_description(213) == "V4_0_0"
    assert version_description(100) == "100"
