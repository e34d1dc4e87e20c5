# SPDX-License-Identifier: Apache-2.0
"""A master's topics (21) or groups (201), fetched page by page, and only when they have changed.

Apache's rule for both codes: the master sends entries from number topicSeq (groupSeq) on, in name order, at most
maxTopicNum (maxGroupNum) of them; when the dataVersion in the request is not its own, it starts at entry 0 whatever
was asked for. So a request far behind the last entry with the version that is known here is answered with an empty
page while nothing changes, and with the first page as soon as something does: cheap enough to ask every second, of
either engine.

A version that changes between two pages starts the fetch again with the page that shows it. A master without the field
totalTopicNum (4.x) sends everything at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from ..remoting import java_json
from ..remoting.bodies import SubscriptionGroupWrapper, TopicConfigSerializeWrapper
from ..remoting.codes import RequestCode

if TYPE_CHECKING:
    from collections.abc import Callable, Sized

    from ..remoting.bodies import DataVersion
    from ..remoting.command import RemotingCommand

# splitMetadataSize of Apache's broker: it never sends more in one page.
PAGE_ENTRIES = 2000
BEHIND_THE_LAST = 2**31 - 1
# 2000 pages are four million topics: a master that never comes to its end is not fetched from for ever.
PAGES_MAX = 2000

Page = TypeVar("Page", TopicConfigSerializeWrapper, SubscriptionGroupWrapper)


@dataclass(frozen=True, slots=True)
class TableKind(Generic[Page]):
    """How one of the two tables is named on the wire."""

    code: RequestCode
    sequence_field: str
    page_size_field: str
    total_field: str
    decode: Callable[[bytes], Page]
    entries: Callable[[Page], Sized]


TOPICS: TableKind[TopicConfigSerializeWrapper] = TableKind(
    RequestCode.GET_ALL_TOPIC_CONFIG,
    "topicSeq",
    "maxTopicNum",
    "totalTopicNum",
    TopicConfigSerializeWrapper.decode,
    lambda page: page.topic_config_table,
)
GROUPS: TableKind[SubscriptionGroupWrapper] = TableKind(
    RequestCode.GET_ALL_SUBSCRIPTIONGROUP_CONFIG,
    "groupSeq",
    "maxGroupNum",
    "totalGroupNum",
    SubscriptionGroupWrapper.decode,
    lambda page: page.subscription_group_table,
)


class PagedFetch(Generic[Page]):
    """One fetch: send `request_fields`, give the answer to `take`, until it says that the fetch is over.

    Then `is_changed` says whether `pages` are a new table, in which case `version` is its version.
    """

    def __init__(self, kind: TableKind[Page], known_version: DataVersion) -> None:
        self.kind: TableKind[Page] = kind
        self.version = known_version
        self.pages: list[Page] = []
        self.is_changed = False
        self.is_over = False
        self._entries = 0
        self._answers = 0

    def request_fields(self) -> dict[str, str]:
        return {
            self.kind.sequence_field: str(self._entries if self.is_changed else BEHIND_THE_LAST),
            self.kind.page_size_field: str(PAGE_ENTRIES),
            "dataVersion": java_json.dumps(self.version.to_json_value()),
        }

    def take(self, answer: RemotingCommand) -> None:
        """Take an answer with code 0. Raises ValueError for one that is no such table."""
        page = self.kind.decode(answer.body)
        page_entries = len(self.kind.entries(page))
        if page.data_version != self.version:
            self.version = page.data_version
            self.is_changed = True
            self.pages = []
            self._entries = 0
        self.pages.append(page)
        self._entries += page_entries
        self._answers += 1
        total = int(answer.ext_fields.get(self.kind.total_field, 0))
        self.is_over = not self.is_changed or not page_entries or self._entries >= total
        if not self.is_over and self._answers >= PAGES_MAX:
            raise ValueError(f"the master's table has no end after {PAGES_MAX} pages")
        if self.is_over and self.is_changed and not self._entries:
            # Every broker has topics and groups of its own: a master without any has lost them, and ours are left.
            raise ValueError("the master's table is empty")
