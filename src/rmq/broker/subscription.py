# SPDX-License-Identifier: Apache-2.0
"""What a consumer wants of a topic, as tests on tags codes and records. Answers to Apache's FilterAPI and
ExpressionMessageFilter.

The broker compares hashes of tags only; two tags with one hash both pass, and the client, which knows the tags, drops
the wrong one. A filter by SQL92 looks into the record: its properties are there only.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from ..filter import compile_sql
from ..remoting.bodies import EXPRESSION_TAG, SUBSCRIBE_ALL, SubscriptionData
from ..remoting.java_hash import tag_hash
from ..remoting.message_properties import decode_properties
from ..store.record import properties_of

if TYPE_CHECKING:
    from collections.abc import Callable

    #: A test on tags codes.
    TagMatcher = Callable[[int], bool]
    #: A test on a whole record.
    RecordMatcher = Callable[[memoryview], bool]

EXPRESSION_SQL92 = "SQL92"

#: Subscription strings remembered as matchers; a broker sees some for each group and topic.
MATCHER_CACHE = 4096


class MessageFilter(NamedTuple):
    """What a pull wants: messages that pass both tests. None takes everything."""

    tags: TagMatcher | None = None
    record: RecordMatcher | None = None


def is_tag_type(expression_type: str | None) -> bool:
    """No type at all is TAG: that is what clients before 4.1 send."""
    return not expression_type or expression_type == EXPRESSION_TAG


def build(topic: str, sub_string: str, expression_type: str | None) -> SubscriptionData:
    """From the fields of a pull. Raises ValueError for an expression that says nothing."""
    if not is_tag_type(expression_type):
        if not sub_string:
            raise ValueError(f"Expression can't be null! {expression_type}")
        return SubscriptionData(topic=topic, sub_string=sub_string, expression_type=expression_type or EXPRESSION_TAG)
    if not sub_string or sub_string == SUBSCRIBE_ALL:
        return SubscriptionData(topic=topic)
    tags = [tag for part in sub_string.split("||") if (tag := part.strip())]
    return SubscriptionData(topic=topic, sub_string=sub_string, tags_set=tags, code_set=[tag_hash(tag) for tag in tags])


def matcher(data: SubscriptionData) -> TagMatcher | None:
    """The test for a consume queue unit; None takes everything."""
    if data.class_filter_mode or data.sub_string == SUBSCRIBE_ALL or not is_tag_type(data.expression_type):
        return None
    return frozenset(data.code_set).__contains__


@lru_cache(maxsize=MATCHER_CACHE)
def matcher_of(sub_string: str) -> TagMatcher | None:
    """The same straight from a TAG expression; pulls repeat it with each request."""
    return matcher(build("", sub_string, None))


@lru_cache(maxsize=MATCHER_CACHE)
def sql_filter(expression: str) -> MessageFilter:
    """Raises FilterError."""
    matches = compile_sql(expression).matches

    def accepts(record: memoryview) -> bool:
        return matches(decode_properties(properties_of(record).decode("utf-8", "replace")))

    return MessageFilter(record=accepts)
