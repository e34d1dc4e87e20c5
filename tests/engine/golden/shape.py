# SPDX-License-Identifier: Apache-2.0
"""Whether two JSON bodies have one shape: the same keys, the same types, and numbers for keys in the same places.

Values are not compared: they are times, sizes and names. The keys of a map (a table by topic, say) are values too; the
keys of an object are not.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from rmq.remoting.java_json import ObjectKeyed, loads_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Objects whose keys are values.
MAPS = frozenset(
    {
        *("topicConfigTable", "subscriptionGroupTable", "offsetTable", "table", "brokerAddrTable", "clusterAddrTable"),
        *("brokerAddrs", "messageRequestModeMap", "subscriptionTable", "filterServerTable", "correctionOffsets"),
        *(
            "data",
            "consumerTable",
            "pullOffsetTable",
            "resetOffsetTable",
            "groupRetryPolicy",
            "attributes",
            "timingCount",
        ),
        *("forbiddenTable", "topicQueueMappingDetailMap", "topicQueueMappingInfoMap", "consumeStatsList"),
    }
)
_NUMBER_KEY = re.compile(rb"[{,]-?\d+:")


def differences(theirs: bytes, ours: bytes) -> list[str]:
    """What our body has otherwise than theirs, one line for each place; empty where the shapes are one."""
    found = sorted(set(_walk(loads_bytes(theirs), loads_bytes(ours), "body", is_map=False)))
    if bool(_NUMBER_KEY.search(theirs)) != bool(_NUMBER_KEY.search(ours)):
        found.append("numbers for keys")
    return found


def _walk(theirs: Any, ours: Any, path: str, *, is_map: bool) -> Iterator[str]:
    if isinstance(theirs, dict) and isinstance(ours, dict):
        yield from _maps(theirs, ours, path) if is_map else _objects(theirs, ours, path)
    elif isinstance(theirs, ObjectKeyed) and isinstance(ours, ObjectKeyed):
        for key, value in ours.pairs:
            yield from _walk(theirs.pairs[0][0], key, f"{path}.key", is_map=False)
            yield from _walk(theirs.pairs[0][1], value, f"{path}.value", is_map=False)
    elif isinstance(theirs, list) and isinstance(ours, list):
        if bool(theirs) != bool(ours):
            yield f"{path}: {'empty' if theirs else 'not empty'}"
        for item in ours if theirs else ():
            yield from _walk(_likest(theirs, item), item, f"{path}[]", is_map=is_map)
    elif type(theirs) is not type(ours):
        yield f"{path}: {_name(ours)} for {_name(theirs)}"


def _objects(theirs: dict[str, Any], ours: dict[str, Any], path: str) -> Iterator[str]:
    for key in theirs.keys() - ours.keys():
        yield f"{path}.{key}: missing"
    for key in ours.keys() - theirs.keys():
        yield f"{path}.{key}: not theirs"
    for key in theirs.keys() & ours.keys():
        yield from _walk(theirs[key], ours[key], f"{path}.{key}", is_map=key in MAPS)


def _maps(theirs: dict[str, Any], ours: dict[str, Any], path: str) -> Iterator[str]:
    if bool(theirs) != bool(ours):
        yield f"{path}: {'empty' if theirs else 'not empty'}"
    for key, value in ours.items() if theirs else ():
        like = theirs[key] if key in theirs else _likest(list(theirs.values()), value)
        # A map of maps: offsets by queue, by topic@group.
        is_map = isinstance(like, dict) and (all(name.isdigit() for name in like) or path.endswith("Map"))
        yield from _walk(like, value, f"{path}.*", is_map=is_map)


def _likest(candidates: list[Any], item: Any) -> Any:
    """Elements of one list may have two shapes (a queue with a timestamp and one without)."""
    return min(candidates, key=lambda each: len(list(_walk(each, item, "", is_map=False))))


def _name(value: Any) -> str:
    return "null" if value is None else type(value).__name__
