# SPDX-License-Identifier: Apache-2.0
"""Attributes of topics and groups: what may be set, and how `+key=value,-key` changes what is there.

Answers to Apache's AttributeUtil, AttributeParser, TopicAttributes and SubscriptionGroupAttributes, remarks included.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


class AttributeRefused(ValueError):
    """An attribute change that is refused; the text is Apache's."""


@dataclass(frozen=True)
class Attribute:
    changeable: bool
    choices: frozenset[str] | None = None
    minimum: int | None = None
    maximum: int = 2**63 - 1
    #: Choices that Apache has and this broker has not, and why.
    refused: Mapping[str, str] = field(default_factory=dict)

    def verify(self, value: str) -> None:
        if self.choices is not None and value not in self.choices:
            raise AttributeRefused(f"value is not in set: [{', '.join(sorted(self.choices))}]")
        if value in self.refused:
            raise AttributeRefused(f"{value} is not supported: {self.refused[value]}")
        if self.minimum is not None:
            try:
                number = int(value)
            except ValueError:
                raise AttributeRefused(f'For input string: "{value}"') from None
            if not self.minimum <= number <= self.maximum:
                raise AttributeRefused(f"value is not in range({self.minimum}, {self.maximum})")


MIXED = "MIXED"
MESSAGE_TYPE = "message.type"
PRIORITY = "PRIORITY"
PRIORITY_FACTOR = "priority.factor"

TOPIC_ATTRIBUTES: Mapping[str, Attribute] = {
    "queue.type": Attribute(
        changeable=False,
        choices=frozenset({"BatchCQ", "SimpleCQ"}),
        refused={"BatchCQ": "this broker keeps no batch consume queues"},
    ),
    "cleanup.policy": Attribute(
        changeable=False,
        choices=frozenset({"DELETE", "COMPACTION"}),
        refused={"COMPACTION": "this broker does not compact, messages would be deleted by their age"},
    ),
    MESSAGE_TYPE: Attribute(
        changeable=True,
        choices=frozenset({"UNSPECIFIED", "NORMAL", "FIFO", "DELAY", "TRANSACTION", PRIORITY, MIXED}),
    ),
    "reserve.time": Attribute(changeable=True, minimum=-1),
}

GROUP_ATTRIBUTES: Mapping[str, Attribute] = {PRIORITY_FACTOR: Attribute(changeable=True, minimum=0, maximum=100)}
#: In how many of 100 pops the priorities of a PRIORITY topic count.
PRIORITY_FACTOR_DEFAULT = 100


def parse_modification(text: str | None) -> dict[str, str]:
    """`+key1=value1,-key2` -> {"+key1": "value1", "-key2": ""}. Raises AttributeRefused."""
    changes: dict[str, str] = {}
    for part in (text or "").split(","):
        if not part:
            continue
        key, equals, value = part.partition("=")
        if equals and "+" not in key:
            raise AttributeRefused(f"add/alter attribute format is wrong: {key}")
        if not equals and "-" not in key:
            raise AttributeRefused(f"delete attribute format is wrong: {key}")
        if key in changes:
            raise AttributeRefused(f"key duplication: {key}")
        changes[key] = value
    return changes


def alter(
    known: Mapping[str, Attribute], current: Mapping[str, str], changes: Mapping[str, str], *, create: bool
) -> dict[str, str]:
    """What the attributes are after the changes. Raises AttributeRefused without having changed anything."""
    result = dict(current)
    seen: set[str] = set()
    for signed_key, value in changes.items():
        key = signed_key[1:]
        if not key or "+" in key or "-" in key:
            raise AttributeRefused("kv string format wrong.")
        if key in seen:
            raise AttributeRefused(f"alter duplication key. key: {key}")
        seen.add(key)
        _apply(known, result, signed_key[0], key, value, create=create)
    return result


def _apply(
    known: Mapping[str, Attribute], result: dict[str, str], sign: str, key: str, value: str, *, create: bool
) -> None:
    if create and sign != "+":
        raise AttributeRefused(f"only add attribute is supported while creating topic. key: {key}")
    if sign not in "+-":
        raise AttributeRefused(f"wrong format key: {key}")
    if sign == "-" and key not in result:
        raise AttributeRefused(f"attempt to delete a nonexistent key: {key}")
    attribute = known.get(key)
    if attribute is None:
        raise AttributeRefused(f"unsupported key: {key}")
    if not create and not attribute.changeable:
        raise AttributeRefused(f"attempt to update an unchangeable attribute. key: {key}")
    if sign == "-":
        del result[key]
        return
    attribute.verify(value)
    result[key] = value


def priority_factor(attributes: Mapping[str, str]) -> int:
    """Of a group; the default for what is no number (a store of Apache's may hold anything)."""
    value = attributes.get(PRIORITY_FACTOR, "")
    return int(value) if value.isascii() and value.isdecimal() else PRIORITY_FACTOR_DEFAULT
