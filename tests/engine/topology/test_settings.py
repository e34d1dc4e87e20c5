# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rmq.topology.keys import KEYS_OF
from rmq.topology.kind import Engine, Kind
from rmq.topology.properties import Setting, parse
from rmq.topology.settings import Checked, check, nearest


def checked(text: str, *, engine: Engine = Engine.PYTHON, kind: Kind = Kind.BROKER) -> Checked:
    return check(parse(text.encode(), "broker.conf").settings, engine=engine, kind=kind)


def only_fault(text: str, **words: object) -> tuple[str, str, str]:
    faults = checked(text, **words).faults  # type: ignore[arg-type]
    assert len(faults) == 1, faults
    return faults[0].name, faults[0].host, faults[0].mend


def test_values_are_typed_as_java_has_them() -> None:
    result = checked(
        "brokerName=broker-a\nbrokerId=3\nbrokerRole=SLAVE\nslaveReadEnable=TRUE\nlistenPort=+10921\n"
        "logicalDiskSpaceCleanForciblyThreshold=0.5\ndeleteWhen=04;16"
    )
    assert result.faults == ()
    assert result.values == {
        "brokerName": "broker-a",
        "brokerId": 3,
        "brokerRole": "SLAVE",
        "slaveReadEnable": True,
        "listenPort": 10921,
        "logicalDiskSpaceCleanForciblyThreshold": 0.5,
        "deleteWhen": "04;16",
    }


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("brokerIp1", "brokerIP1"),
        ("brokerip1", "brokerIP1"),
        ("broker_name", "brokerName"),
        ("fileReserverdTime", "fileReservedTime"),
        ("haSlaveFallbehindMax", "haMaxGapNotInSync"),
        ("flushDisktype", "flushDiskType"),
        ("autoCreateTopicEnabled", "autoCreateTopicEnable"),
        ("namesrvAddrs", "namesrvAddr"),
    ],
)
def test_unknown_key_is_refused_with_the_nearest_right_key(wrong: str, right: str) -> None:
    name, place, mend = only_fault(f"# a\n{wrong}=1")
    assert (name, place) == ("key-unknown", "broker.conf:2")
    assert right in mend.split()


def test_key_of_the_name_server_is_told_apart_from_no_key_at_all() -> None:
    assert "name server" in only_fault("scanNotActiveBrokerInterval=5000")[2]
    assert only_fault("zzzzqqqq=1")[2] == "Remove it"


# Measured on Apache 5.4.0: each of these was taken without a word, as something else.
@pytest.mark.parametrize(
    ("text", "name", "mend"),
    [
        ("slaveReadEnable=true ", "value-blanks", "Write slaveReadEnable=true"),
        ("fileReservedTime=168 ", "value-blanks", "Write fileReservedTime=168"),
        ("flushDiskType=SYNC", "value-choice", "Write flushDiskType=SYNC_FLUSH"),
        ("brokerRole=SLAV", "value-choice", "Write brokerRole=SLAVE"),
        ("listenPort=abc", "value-type", "Write listenPort=10911"),
        ("brokerId=1", "master-id", "Write brokerRole=SLAVE for a slave, brokerId=0 for a master"),
        ("brokerRole=SLAVE", "slave-id", "Write brokerId=1, or the next number free in its pair"),
        ("diskMaxUsedSpaceRatio=99", "value-range", "Write a number in that range, such as 75"),
    ],
)
def test_what_apache_swallows_is_a_fault(text: str, name: str, mend: str) -> None:
    found_name, place, found_mend = only_fault(text)
    assert (found_name, place, found_mend) == (name, "broker.conf:1", mend)


@pytest.mark.parametrize(
    "text",
    [
        "autoCreateTopicEnable=yes",
        "autoCreateTopicEnable=1",
        "autoCreateTopicEnable=",
        "fileReservedTime=",
        "fileReservedTime=7_2",
        "fileReservedTime=72.0",
        "fileReservedTime=\u0967\u0968",
        "maxMessageSize=99999999999",
        "listenPort=2",
        "listenPort=65535",
        "brokerPermission=99",
        "namesrvAddr=192.161.2:9876",
        "namesrvAddr=192.0.2.1:9876;",
        "namesrvAddr=192.0.2.1",
        "brokerIP1=0.0.0.0",
        "brokerIP1=192.0.2",
        "brokerName=a/b",
        "brokerName=a b",
        "deleteWhen=4am",
        "deleteWhen=24",
        "messageDelayLevel=1s  5s",
        "messageDelayLevel=1x",
        "storePathCommitLog=/a, /b",
        "storePathCommitLog=/a,,/b",
        "readOnlyCommitLogStorePaths=/a,",
        "brokerRole=",
        "haListenPort=10909",
        "haListenPort=10911",
        "minInSyncReplicas=2",
        "inSyncReplicas=0",
        "diskSpaceWarningLevelRatio=95",
        "bindAddresses=192.0.2.21,127.0.0.1",
        "haPeers=broker-a-s",
        "haMasterAddress=192.0.2.21",
        "logicalDiskSpaceCleanForciblyThreshold=NaN",
        "brokerClusterName=\\u0000",
        "msgTraceTopicName=a\\nb",
    ],
)
def test_wrong_value_is_one_fault(text: str) -> None:
    only_fault(text)


@pytest.mark.parametrize(
    "text",
    [
        "namesrvAddr=192.0.2.1:9876;ns-2.example.org:9876;[2001:db8::1]:9876",
        "namesrvAddr=",
        "haListenPort=0",
        "bindAddress=0.0.0.0",
        "brokerName=broker.example.org",
        "messageDelayLevel=1s 5s 2d",
        "storePathCommitLog=/a,/with blank/b\nreadOnlyCommitLogStorePaths=/c",
        "diskSpaceWarningLevelRatio=60\ndiskSpaceCleanForciblyRatio=55\ndiskMaxUsedSpaceRatio=50",
        "bindAddresses=192.0.2.21;127.0.0.1;::1",
        "haPeers=192.0.2.22;198.51.100.0/24",
        "haMasterAddress=192.0.2.21:10912",
        "sendMessageThreadPoolNums=1",
    ],
)
def test_right_value_is_no_fault(text: str) -> None:
    assert checked(text).faults == ()


def test_key_written_twice_with_two_values_names_both_lines() -> None:
    name, place, mend = only_fault("brokerName=a\nlistenPort=10911\nbrokerName=b")
    assert (name, place) == ("key-twice", "broker.conf:1")
    assert "line 3" in mend
    assert checked("brokerName=a\nbrokerName=a").faults == ()


def test_wrong_value_does_not_drag_the_rules_between_keys_after_it() -> None:
    assert only_fault("brokerRole=SLAV\nbrokerId=1")[0] == "value-choice"
    assert only_fault("listenPort=abc\nhaListenPort=10911")[0] == "value-type"
    assert only_fault("diskMaxUsedSpaceRatio=x\ndiskSpaceCleanForciblyRatio=40")[0] == "value-type"


@pytest.mark.parametrize("kind", list(Kind))
@pytest.mark.parametrize("engine", list(Engine))
def test_file_that_apache_rewrote_in_full_starts_either_engine(kind: Kind, engine: Engine) -> None:
    keys = [key for key in KEYS_OF[kind].values() if key.default not in ("null", "?")]
    text = "".join(f"{key.name}={key.default.replace('ADDRESS', '192.0.2.21')}\n" for key in keys)
    result = checked(text, kind=kind, engine=engine)
    assert result.faults == ()
    assert bool(result.accepted_without_effect) == (engine is Engine.PYTHON)


def test_key_that_would_change_data_is_refused_by_the_python_engine_alone() -> None:
    assert only_fault("storeType=defaultRocksDB")[0] == "key-refused"
    assert checked("storeType=defaultRocksDB", engine=Engine.APACHE).faults == ()


def test_our_own_key_is_unknown_to_apache() -> None:
    assert checked("bindAddresses=192.0.2.1;127.0.0.1").faults == ()
    assert only_fault("bindAddresses=192.0.2.1;127.0.0.1", engine=Engine.APACHE)[0] == "key-unknown"


def test_secret_is_never_shown() -> None:
    for text in ("innerClientAuthenticationCredentials= x", "innerClientAuthenticationCredentials=canary "):
        assert all("canary" not in fault.text() for fault in checked(text).faults)
    faults = parse("initAuthenticationUser=can\u00e4ry".encode(), "f").faults
    assert faults
    assert all("can" not in fault.text() for fault in faults)


def test_nearest_name_prefers_another_case_to_anything_closer() -> None:
    assert nearest("LISTENPORT", ["listenPorts", "listenPort"]) == "listenPort"
    assert nearest("", ["listenPort"]) == ""


@given(st.sampled_from(sorted(KEYS_OF[Kind.BROKER])), st.text(max_size=30), st.sampled_from(list(Engine)))
def test_any_text_for_any_key_is_a_value_or_a_fault(key: str, value: str, engine: Engine) -> None:
    result = check([Setting(key, value, 1, "f")], engine=engine, kind=Kind.BROKER)
    assert result.faults or key in result.values or value == ""
    for fault in result.faults:
        assert fault.text().isprintable()
        assert "\n" not in fault.text()
