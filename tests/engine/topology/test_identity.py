# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rmq.topology.fault import Fault
from rmq.topology.identity import Identity, check, check_adoption, decode, encode

A = Identity("DefaultCluster", "broker-a", 0)
PLACE = "/s/config/identity.json"


def test_identity_is_read_back_as_it_was_written() -> None:
    assert decode(encode(A), PLACE) == A
    assert encode(A) == b'{"brokerId": 0, "brokerName": "broker-a", "cluster": "DefaultCluster", "format": 1}\n'


@pytest.mark.parametrize(
    "data",
    [
        *(b"", b"{}", b"[]", b"null", b"\xff", b'{"format": 2}', b" " * 5000, b"[" * 3000),
        encode(A)[:-10],
        encode(A).replace(b": 0", b": true"),
        encode(A).replace(b": 0", b': "0"'),
        encode(A).replace(b": 1", b": 2"),
    ],
)
def test_damaged_identity_is_a_fault_with_its_place(data: bytes) -> None:
    fault = decode(data, PLACE)
    assert isinstance(fault, Fault)
    assert (fault.name, fault.host) == ("identity-readable", PLACE)


@given(st.binary(max_size=200))
def test_no_bytes_raise(data: bytes) -> None:
    decode(data, PLACE)


@pytest.mark.parametrize(
    ("wanted", "key"),
    [
        (Identity("Other", "broker-a", 0), "brokerClusterName"),
        (Identity("DefaultCluster", "broker-b", 0), "brokerName"),
        (Identity("DefaultCluster", "broker-a", 1), "brokerId"),
    ],
)
def test_store_of_another_is_refused_naming_both_and_the_key(wanted: Identity, key: str) -> None:
    fault = check(A, wanted, PLACE)
    assert fault is not None
    assert A.text() in fault.value
    assert wanted.text() in fault.value
    assert fault.mend.endswith(f"correct {key}")
    assert check(A, A, PLACE) is None


def test_store_of_apache_is_adopted_when_its_topics_do_not_contradict() -> None:
    topics = ["TBW102", "rmq_sys_SYNC_BROKER_MEMBER_broker-a", "rmq_sys_REVIVE_LOG_DefaultCluster", "K"]
    assert check_adoption(topics, A, PLACE) is None
    assert check_adoption(["K"], A, PLACE) is None
    assert check_adoption([], A, PLACE) is None


def test_store_of_apache_with_the_topics_of_another_broker_is_refused() -> None:
    fault = check_adoption(["rmq_sys_SYNC_BROKER_MEMBER_broker-b"], A, PLACE)
    assert fault is not None
    assert "broker-b" in fault.value
    fault = check_adoption(["rmq_sys_REVIVE_LOG_Other", "rmq_sys_SYNC_BROKER_MEMBER_broker-a"], A, PLACE)
    assert fault is not None
    assert "Other" in fault.value
