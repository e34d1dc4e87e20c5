# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from rmq.broker.broker_config import BrokerConfig
from rmq.broker.store_settings import ha_config, store_config
from rmq.namesrv.namesrv_config import NamesrvConfig
from rmq.topology.keys import KEYS_OF
from rmq.topology.kind import Engine, Kind
from rmq.topology.python_engine import HONOURED_BROKER, HONOURED_NAMESRV, OWN_KEYS, REFUSED, Use, refusal, use_of
from rmq.topology.settings import known_keys
from rmq.topology.tls import CONFIG_FILE, USE_TLS, TlsSettings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rmq.topology.settings import Value

HONOURED = {Kind.BROKER: HONOURED_BROKER, Kind.NAMESRV: HONOURED_NAMESRV}


class Noted(dict[str, "Value"]):
    """Settings that note which keys somebody asks for; none is set."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: set[str] = set()

    def __contains__(self, key: object) -> bool:
        self.asked.add(str(key))
        return False

    def get(self, key: str, default: object = None) -> Value | None:  # type: ignore[override]
        self.asked.add(key)
        return None

    def __iter__(self) -> Iterator[str]:
        raise AssertionError("settings are asked for by key")


def test_honoured_is_what_the_broker_reads_and_nothing_else() -> None:
    settings = Noted()
    config = BrokerConfig.from_settings(settings)
    store_config(config, settings)
    ha_config(config, settings)
    TlsSettings.from_settings(settings)
    settings.asked.add(CONFIG_FILE)  # read before all others, by cli.settings_file
    assert settings.asked == HONOURED_BROKER


def test_honoured_is_what_the_name_server_reads_and_nothing_else() -> None:
    settings = Noted()
    NamesrvConfig.from_settings(settings, home=Path("/home/rocketmq"))
    TlsSettings.from_settings(settings)
    settings.asked.add(CONFIG_FILE)
    # A broker's: a name server calls nobody.
    settings.asked.discard(USE_TLS)
    assert settings.asked == HONOURED_NAMESRV


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
