# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from rmq.topology.keys import KEYS_OF
from rmq.topology.kind import Engine, Kind
from rmq.topology.python_engine import HONOURED_BROKER, HONOURED_NAMESRV, OWN_KEYS, REFUSED, Use, refusal, use_of
from rmq.topology.settings import known_keys

HONOURED = {Kind.BROKER: HONOURED_BROKER, Kind.NAMESRV: HONOURED_NAMESRV}


@pytest.mark.parametrize("kind", list(Kind))
def test_every_key_in_the_tables_exists(kind: Kind) -> None:
    known = known_keys(Engine.PYTHON, kind)
    assert set(HONOURED[kind]) <= set(known)
    assert set(REFUSED[kind]) <= set(KEYS_OF[kind])


@pytest.mark.parametrize("kind", list(Kind))
def test_no_key_is_both_honoured_and_refused(kind: Kind) -> None:
    assert not set(HONOURED[kind]) & set(REFUSED[kind])


@pytest.mark.parametrize("kind", list(Kind))
def test_default_of_apache_is_never_refused(kind: Kind) -> None:
    for name in REFUSED[kind]:
        default = KEYS_OF[kind][name].default
        assert refusal(name, "" if default in ("?", "null") else default, kind) == "" or default == "?"


@pytest.mark.parametrize("kind", list(Kind))
def test_our_own_keys_are_honoured_and_not_of_apache(kind: Kind) -> None:
    for key in OWN_KEYS[kind]:
        assert use_of(key.name, kind) is Use.HONOURED
        assert key.name not in KEYS_OF[kind]


def test_refusal_says_why() -> None:
    assert "RocksDB" not in refusal("storeType", "default", Kind.BROKER)
    assert refusal("enableDLegerCommitLog", "TRUE", Kind.BROKER)
    assert refusal("enableDLegerCommitLog", "False", Kind.BROKER) == ""
    assert use_of("sendMessageThreadPoolNums", Kind.BROKER) is Use.ACCEPTED
