# SPDX-License-Identifier: Apache-2.0
"""The wire text of a message's properties, and what the broker adds to it on the way into the store.

A send is the hottest path there is, so the text is kept as a text: the broker's own properties are joined to its end.
Only where the client sent one of the broker's names itself (a message that was consumed and is sent on) the text is
taken apart and made anew.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..remoting.message_const import (
    PROPERTY_CLUSTER,
    PROPERTY_CRC32,
    PROPERTY_MSG_REGION,
    PROPERTY_TRACE_ON,
    PROPERTY_UNIQ_KEY,
)
from ..remoting.message_properties import decode_properties, encode_properties

SEPARATOR = "\x02"

#: What a POP consumer uses to point at a message; a client must not be able to forge it.
_RESERVED = "POP_CK"


@dataclass(frozen=True)
class BrokerProperties:
    """What this broker writes into every message."""

    region: str
    cluster: str
    trace_on: bool

    @property
    def own(self) -> dict[str, str]:
        return {
            PROPERTY_MSG_REGION: self.region,
            PROPERTY_CLUSTER: self.cluster,
            PROPERTY_TRACE_ON: "true" if self.trace_on else "false",
        }


class PropertyWriter:
    def __init__(self, broker: BrokerProperties) -> None:
        self._own = broker.own
        self._suffix = encode_properties(self._own)

    def finish(self, sent: str, properties: dict[str, str], uniq_key: str) -> str:
        """The text to store. `properties` is `sent` decoded, uniq_key what it holds or what the broker made."""
        if not self._own.keys().isdisjoint(properties) or _RESERVED in properties or PROPERTY_CRC32 in properties:
            return self._rebuilt(properties, uniq_key)
        text = sent if not sent or sent.endswith(SEPARATOR) else sent + SEPARATOR
        if PROPERTY_UNIQ_KEY not in properties:
            text += f"{PROPERTY_UNIQ_KEY}\x01{uniq_key}{SEPARATOR}"
        return text + self._suffix

    def _rebuilt(self, properties: dict[str, str], uniq_key: str) -> str:
        kept = {key: value for key, value in properties.items() if key not in (_RESERVED, PROPERTY_CRC32)}
        kept[PROPERTY_UNIQ_KEY] = uniq_key
        kept.update(self._own)
        return encode_properties(kept)


def without_crc(properties: dict[str, str]) -> dict[str, str]:
    """Of a stored record: its checksum belongs to that record alone."""
    return {key: value for key, value in properties.items() if key != PROPERTY_CRC32}


__all__ = ["BrokerProperties", "PropertyWriter", "decode_properties", "encode_properties", "without_crc"]
