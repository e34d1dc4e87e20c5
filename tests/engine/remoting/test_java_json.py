# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rmq.remoting.bodies import ConsumeStats, DataVersion, SubscriptionGroupConfig, TopicConfig
from rmq.remoting.java_json import JavaJsonError, ObjectKeyed, dumps, dumps_bytes, dumps_pretty, loads, loads_bytes
from rmq.remoting.json_body import BodyError

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
SCALARS = (
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
)
VALUES: st.SearchStrategy[Any] = st.recursive(
    SCALARS | TEXT, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4), max_leaves=12
)


@given(VALUES)
def test_ordinary_json_goes_both_ways(value: Any) -> None:
    assert json.loads(dumps(value)) == value
    assert loads(dumps(value)) == value
    assert loads(dumps_pretty(value)) == value


@given(VALUES)
def test_the_tolerant_reader_agrees_with_the_standard_one(value: Any) -> None:
    # A number for a key makes the standard parser give up, so that the whole text goes through the tolerant one.
    text = f"{{ 7 :\n{json.dumps(value, indent=1)}}}"
    assert loads(text) == {"7": value}


def test_numbers_as_keys_are_read_with_and_without_quotes() -> None:
    assert loads('{0:"a",-1:"b"}') == loads('{"0":"a","-1":"b"}') == {"0": "a", "-1": "b"}


def test_objects_as_keys_are_read_as_pairs() -> None:
    value = loads('{"t":{{"queueId":1}:{"max":2},{"queueId":0}:{"max":5}},"x":0.0}')
    assert value == {"t": ObjectKeyed([({"queueId": 1}, {"max": 2}), ({"queueId": 0}, {"max": 5})]), "x": 0.0}
    assert dumps(value) == '{"t":{{"queueId":1}:{"max":2},{"queueId":0}:{"max":5}},"x":0.0}'


def test_number_keys_are_written_bare_or_quoted_on_request() -> None:
    assert dumps({0: {1: "a"}}) == '{0:{1:"a"}}'
    assert dumps({0: {1: "a"}}, quote_keys=True) == '{"0":{"1":"a"}}'


def test_empty_things_are_written_as_apache_writes_them() -> None:
    assert dumps_pretty({"a": {}, "b": []}) == '{\n\t"a":{\n\t\t\n\t},\n\t"b":[\n\t\t\n\t]\n}'


@pytest.mark.parametrize(
    "text",
    ["", "{", "{0:", "{0:1", "{0:1,}", "{0:1}x", "[1,2", '{"a', "{1.5:1}", "{[1]:2}",
     "{0:01}", "{0:+1}", "{0:nul}", "{,}", "{0 1}",
     "{0:" + "9" * 1000 + "}", "{0:" + "[" * 1000 + "]" * 1000 + "}", "[" * 100_000, "{" * 100_000, '{0:"\\x"}'],
)  # fmt: skip
def test_what_is_json_by_neither_habit_is_refused(text: str) -> None:
    with pytest.raises(JavaJsonError):
        loads(text)


def test_bytes_that_are_no_utf8_are_refused() -> None:
    with pytest.raises(JavaJsonError, match="no UTF-8 at byte 1"):
        loads_bytes(b'"\xff"')


def test_lone_surrogates_become_question_marks() -> None:
    assert dumps_bytes("\ud800") == b'"?"'


@pytest.mark.parametrize("value", [object(), {(1, 2): 3}, {True: 1}])
def test_values_without_a_json_form_are_refused(value: object) -> None:
    with pytest.raises(TypeError):
        dumps(value)


def test_a_wrong_type_in_a_body_is_named_with_its_path() -> None:
    with pytest.raises(BodyError, match=r"^offsetTable\.brokerOffset is no whole number$"):
        ConsumeStats.decode(b'{"offsetTable":{{"queueId":1}:{"brokerOffset":"x"}}}')
    with pytest.raises(BodyError, match=r"^attributes\.a is no text$"):
        TopicConfig.decode(b'{"attributes":{"a":1}}')


@pytest.mark.parametrize("data", [b"", b"[]", b"5", b"\xff", b'{"perm":true}', b'{"order":"x"}', b'{"perm":1e400}'])
def test_a_body_that_does_not_fit_is_refused(data: bytes) -> None:
    with pytest.raises(BodyError):
        TopicConfig.decode(data)


def test_what_a_peer_leaves_out_or_does_not_know_takes_the_default() -> None:
    group = SubscriptionGroupConfig.decode(b'{"groupName":"g","retryMaxTimes":null,"newerField":[1]}')
    assert group == SubscriptionGroupConfig(group_name="g")
    assert group.retry_max_times == 16


def test_numbers_written_as_texts_are_taken_as_fastjson_takes_them() -> None:
    assert TopicConfig.decode(b'{"perm":"4"}').perm == 4


def test_the_next_data_version_counts_up() -> None:
    assert DataVersion(3, 1, 5).next_version(99) == DataVersion(4, 1, 99)


def test_a_topic_config_is_shown_as_in_apaches_remarks() -> None:
    topic = TopicConfig(topic_name="TopicTest", read_queue_nums=2, write_queue_nums=2)
    assert str(topic) == (
        "TopicConfig [topicName=TopicTest, readQueueNums=2, writeQueueNums=2, perm=RW-, "
        "topicFilterType=SINGLE_TAG, topicSysFlag=0, order=false, attributes={}]"
    )
