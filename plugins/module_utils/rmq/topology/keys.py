# SPDX-License-Identifier: Apache-2.0
"""The registry of configuration keys: which there are, of which Java class and type, with which default.

One file feeds all of Apache's configuration classes: `broker.conf` those of `BROKER_CLASSES`, the name server's file
those of `NAMESRV_CLASSES`. A key that two classes know (``listenPort``) is set in both.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict, Mapping, Tuple

from .keys_table import ROWS, VERSION
from .kind import Kind

__all__ = ["KEYS", "KEYS_OF", "RENAMED", "VERSION", "Key"]


@dataclass(frozen=True)
class Key:
    """One settable key.

    ``java_type`` is String, boolean, int, long or double; ``default`` is text as Apache prints it.
    """

    name: str
    java_classes: Tuple[str, ...]
    java_type: str
    default: str


BROKER_CLASSES = ("BrokerConfig", "MessageStoreConfig", "NettyServerConfig", "NettyClientConfig", "AuthConfig")
NAMESRV_CLASSES = ("NamesrvConfig", "NettyServerConfig", "NettyClientConfig")

# Read from the properties themselves, by no setter: the address server that hands out name server lists (source:
# BrokerStartup).
_READ_DIRECTLY = (
    ("BrokerConfig", "rmqAddressServerDomain", "String", "jmenv.tbsite.net"),
    ("BrokerConfig", "rmqAddressServerSubGroup", "String", "nsaddr"),
)

# What the program itself sets before it reads the file (source: BrokerStartup, NamesrvStartup).
_START_DEFAULTS = {
    Kind.BROKER: {"listenPort": "10911"},
    Kind.NAMESRV: {"listenPort": "9876"},
}

# Keys of earlier versions that 5.4.0 no longer knows and drops without a word, with what took their place.
RENAMED: Mapping[str, str] = {
    "haSlaveFallbehindMax": "haMaxGapNotInSync",
}


def _keys_of(kind: Kind, classes: Tuple[str, ...]) -> Dict[str, Key]:
    keys: Dict[str, Key] = {}
    for java_class in classes:
        for row_class, name, java_type, default in ROWS + _READ_DIRECTLY:
            if row_class != java_class:
                continue
            earlier = keys.get(name)
            if earlier is None:
                default = _START_DEFAULTS[kind].get(name, default)
                keys[name] = Key(name, (java_class,), java_type, default)
            else:
                keys[name] = Key(name, (*earlier.java_classes, java_class), java_type, earlier.default)
    return keys


KEYS_OF: Mapping[Kind, Mapping[str, Key]] = {
    Kind.BROKER: _keys_of(Kind.BROKER, BROKER_CLASSES),
    Kind.NAMESRV: _keys_of(Kind.NAMESRV, NAMESRV_CLASSES),
}
KEYS: Mapping[str, Key] = {**KEYS_OF[Kind.NAMESRV], **KEYS_OF[Kind.BROKER]}
