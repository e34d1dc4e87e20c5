# SPDX-License-Identifier: Apache-2.0
"""Whose store it is: `config/identity.json`, written by whoever starts a store first, checked by everybody after.

    {"brokerId": 0, "brokerName": "broker-a", "cluster": "DefaultCluster", "format": 1}

A store holds one broker's messages, and only promotion and rebuilding make it another's. Apache writes no such file
(and leaves ours alone); a store without one is adopted when the topics in it do not contradict: every broker of
Apache makes one topic with its own name and one with its cluster's in it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Iterable, List, Optional, Tuple, Union

from .fault import Fault, quoted
from .rule import Rule

# Where it lies under storePathRootDir.
FILE_NAME = "config/identity.json"
FORMAT = 1
# Four short fields; anything bigger is another file.
FILE_MAX_BYTES = 4096

_MEMBER_TOPIC = "rmq_sys_SYNC_BROKER_MEMBER_"
_REVIVE_TOPIC = "rmq_sys_REVIVE_LOG_"


@dataclass(frozen=True)
class Identity:
    """Cluster, brokerName and brokerId: what makes a store one broker's."""

    cluster: str
    broker_name: str
    broker_id: int

    def text(self) -> str:
        """For people: broker-a, id 0, of DefaultCluster."""
        return f"{self.broker_name}, id {self.broker_id}, of {self.cluster}"


def encode(identity: Identity) -> bytes:
    """The file's content; the same identity gives the same bytes."""
    fields = {
        "brokerId": identity.broker_id,
        "brokerName": identity.broker_name,
        "cluster": identity.cluster,
        "format": FORMAT,
    }
    return (json.dumps(fields, sort_keys=True) + "\n").encode()


def decode(data: bytes, place: str) -> Union[Identity, Fault]:
    """Read the file's content; ``place`` is its path in the fault. Nothing is raised."""
    mend = "Restore it from a backup, or remove it to adopt the store"
    unreadable = Rule.IDENTITY_READABLE.fault(place, quoted(data[:200].decode("utf-8", "replace")), mend)
    if len(data) > FILE_MAX_BYTES:
        return unreadable
    try:
        fields = json.loads(data.decode("utf-8"))
    except (ValueError, RecursionError):
        return unreadable
    if not isinstance(fields, dict) or fields.get("format") != FORMAT:
        return unreadable
    cluster, name, broker_id = (fields.get(key) for key in ("cluster", "brokerName", "brokerId"))
    if not isinstance(cluster, str) or not isinstance(name, str):
        return unreadable
    if not isinstance(broker_id, int) or isinstance(broker_id, bool):
        return unreadable
    return Identity(cluster, name, broker_id)


def check(stored: Identity, wanted: Identity, place: str) -> Optional[Fault]:
    """The fault of starting ``wanted`` on a store that is another's, or None."""
    if stored == wanted:
        return None
    value = f"the store is that of {stored.text()}; the settings say {wanted.text()}"
    mend = f"Point storePathRootDir at the store of {wanted.text()}, or correct {_differing(stored, wanted)}"
    return Rule.IDENTITY_SAME.fault(place, value, mend)


def check_adoption(topics: Iterable[str], wanted: Identity, place: str) -> Optional[Fault]:
    """The fault of adopting a store without the file, whose `topics.json` has these names, or None.

    The id cannot be told from a store: a slave copies its master's topics.
    """
    names = list(topics)
    found = []
    for prefix, mine in ((_MEMBER_TOPIC, wanted.broker_name), (_REVIVE_TOPIC, wanted.cluster)):
        others = _after(prefix, names)
        if others and mine not in others:
            found.append(prefix + others[0])
    if not found:
        return None
    value = f"the store has the topics {', '.join(found)}; the settings say {wanted.text()}"
    return Rule.IDENTITY_SAME.fault(place, value, f"Point storePathRootDir at the store of {wanted.text()}")


def _after(prefix: str, names: Iterable[str]) -> List[str]:
    return sorted(name[len(prefix) :] for name in names if name.startswith(prefix))


def _differing(stored: Identity, wanted: Identity) -> str:
    pairs: Tuple[Tuple[str, object, object], ...] = (
        ("brokerClusterName", stored.cluster, wanted.cluster),
        ("brokerName", stored.broker_name, wanted.broker_name),
        ("brokerId", stored.broker_id, wanted.broker_id),
    )
    return ", ".join(key for key, old, new in pairs if old != new)
