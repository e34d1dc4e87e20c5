# SPDX-License-Identifier: Apache-2.0
"""Writes that once made a server do a third thing, each with what it did."""

from __future__ import annotations

from tests.engine.fuzz.samples import Sample, sample


def _escaped(frame: bytes) -> bytes:
    """XX becomes the escape of half a character; the lengths stay true."""
    header_size = int.from_bytes(frame[5:8], "big")
    header = frame[8 : 8 + header_size].replace(b"XX", b"\\ud800")
    body = frame[8 + header_size :].replace(b"XX", b"\\ud800")
    return (4 + len(header) + len(body)).to_bytes(4, "big") + len(header).to_bytes(4, "big") + header + body


def _to(topic: str, opaque: int) -> bytes:
    return Sample(310, {**sample(310).fields, "b": topic}, b"x").encode(opaque)


def _delete(topic: str, opaque: int) -> bytes:
    return Sample(215, {"topic": topic}).encode(opaque)


_SLAVE = {"brokerName": "broker-a", "haAddress": "10.0.0.50:1"}
_GROUP = b'{"groupName":"gc2","consumeEnable":true,"groupRetryPolicy":{"type":"XX"},"attributes":{"XX":"XX"}}'
_TOPIC = (
    b'{"topicConfigList":[{"topicName":"T1","readQueueNums":1,"writeQueueNums":1,"perm":6,"topicFilterType":"XX"}]}'
)

FRAMES: dict[str, list[bytes]] = {
    # It got into topics.json or subscriptionGroup.json, which could not be written as UTF-8 from then on.
    "half a character in a table": [
        _escaped(Sample(18, {}, _TOPIC).encode(1)),
        _escaped(Sample(200, {}, _GROUP).encode(2)),
        _escaped(Sample(17, {**sample(17).fields, "topicFilterType": "XX", "attributes": "+XX=XX"}).encode(3)),
        Sample(17, sample(17).fields).encode(4),
        sample(200).encode(5),
        _escaped(Sample(100, {"namespace": "n", "key": "XX", "value": "XX"}).encode(6)),
        sample(100).encode(7),
    ],
    # The first makes a thread sync the queues of the second, whose files were closed under it: that ended the broker.
    "two topics are deleted at once": [
        _to("T1", 1) + _to("T2", 2),
        _delete("T1", 3) + _delete("T2", 4),
    ],
    # int() refuses a text of more than 4300 digits by an error of its own.
    "a slave whose id has 5000 digits": [
        Sample(540001, {**_SLAVE, "brokerId": "9" * 5000}).encode(1),
        Sample(540001, {**_SLAVE, "brokerId": "\u0663"}).encode(2),
    ],
}
