# SPDX-License-Identifier: Apache-2.0
"""Every body that the wire or a file of config/ has: written and read again it is the same."""

from __future__ import annotations

import dataclasses
import typing
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rmq.remoting import bodies
from rmq.remoting.json_body import JsonBody

CLASSES = {
    name: value
    for name, value in vars(bodies).items()
    if isinstance(value, type) and issubclass(value, JsonBody) and value is not JsonBody
}
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
LONG = st.integers(-(2**63), 2**63 - 1)
SCALARS: dict[Any, st.SearchStrategy[Any]] = {
    int: LONG,
    str: TEXT,
    bool: st.booleans(),
    float: st.floats(allow_nan=False, allow_infinity=False),
    Any: TEXT | st.none(),
    object: TEXT | st.none(),
    type(None): st.none(),
}


def _values(hint: Any) -> st.SearchStrategy[Any]:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Union:
        return st.one_of([_values(each) for each in arguments])
    if origin is list:
        return st.lists(_values(arguments[0]), max_size=3)
    if origin is dict:
        return st.dictionaries(_values(arguments[0]), _values(arguments[1]), max_size=3)
    if isinstance(hint, type) and issubclass(hint, JsonBody):
        return _of(hint)
    return SCALARS[hint]


def _of(cls: type[JsonBody]) -> st.SearchStrategy[Any]:
    hints = typing.get_type_hints(cls)
    names = [each.name for each in dataclasses.fields(typing.cast("Any", cls))]
    return st.builds(cls, **{name: _values(hints[name]) for name in names})


@pytest.mark.parametrize("cls", CLASSES.values(), ids=CLASSES)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(data=st.data())
def test_a_body_comes_back_equal(cls: type[JsonBody], data: st.DataObject) -> None:
    body = data.draw(_of(cls))
    assert cls.decode(body.encode()) == body
    assert cls.decode(body.encode(quote_keys=True)) == body


def test_all_bodies_are_tried() -> None:
    assert len(CLASSES) > 40
