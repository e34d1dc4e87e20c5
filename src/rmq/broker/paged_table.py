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
from typing import TYPE_CHECKING, Any

from ..remoting import java_json
from ..remoting.bodies import DataVersion
from ..remoting.codes import RequestCode

if TYPE_CHECKING:
    from ..remoting.command import RemotingCommand

# splitMetadataSize of Apache's broker: it never sends more in one page.
PAGE_ENTRIES = 2000
BEHIND_THE_LAST = 2**31 - 1
# 2000 pages are four million topics: a master that never comes to its end is not fetched from for ever.
PAGES_MAX = 2000


@dataclass(frozen=True, slots=True)
class TableKind:
    """How one of the two tables is named on the wire."""

    code: RequestCode
    sequence_field: str
    page_size_field: str
    total_field: str
    table_field: str
    second_table_field: str | None = None


TOPICS = TableKind(RequestCode.GET_ALL_TOPIC_CONFIG, "topicSeq", "maxTopicNum", "totalTopicNum", "topicConfigTable")
GROUPS = TableKind(
    RequestCode.GET_ALL_SUBSCRIPTIONGROUP_CONFIG,
    "groupSeq",
    "maxGroupNum",
    "totalGroupNum",
    "subscriptionGroupTable",
    "forbiddenTable",
)


class PagedFetch:
    """One fetch: send `request_fields`, give the answer to `take`, until it says that the fetch is over."""

    def __init__(self, kind: TableKind, known_version: DataVersion) -> None:
        self._kind = kind
        self._known_version = known_version
        self._version = known_version
        self._table: dict[str, Any] = {}
        self._second_table: dict[str, Any] = {}
        self._pages = 0
        self.is_over = False

    @property
    def is_changed(self) -> bool:
        """The master's table is another than the known one; once over, `body` is it."""
        return self._version != self._known_version

    @property
    def body(self) -> dict[str, Any]:
        """The whole table, as one answer of a master would hold it."""
        body: dict[str, Any] = {"dataVersion": self._version.to_json_value(), self._kind.table_field: self._table}
        if self._kind.second_table_field is not None:
            body[self._kind.second_table_field] = self._second_table
        return body

    def request_fields(self) -> dict[str, str]:
        return {
            self._kind.sequence_field: str(len(self._table) if self.is_changed else BEHIND_THE_LAST),
            self._kind.page_size_field: str(PAGE_ENTRIES),
            "dataVersion": java_json.dumps(self._version.to_json_value()),
        }

    def take(self, answer: RemotingCommand) -> None:
        """Take an answer with code 0. Raises ValueError for one that is no table."""
        value = java_json.loads_bytes(answer.body)
        page = self._part(value, self._kind.table_field)
        version = DataVersion.from_json_value(value.get("dataVersion"), "dataVersion")
        if version != self._version:
            self._version = version
            self._table = {}
            self._second_table = {}
        self._table |= page
        if self._kind.second_table_field is not None:
            self._second_table |= self._part(value, self._kind.second_table_field)
        self._pages += 1
        total = int(answer.ext_fields.get(self._kind.total_field, 0))
        self.is_over = not page or not self.is_changed or len(self._table) >= total
        if not self.is_over and self._pages >= PAGES_MAX:
            raise ValueError(f"the master's {self._kind.table_field} has no end")
        if self.is_over and self.is_changed and not self._table:
            # Every broker has topics and groups of its own: a master without any has lost them, and ours are left.
            raise ValueError(f"the master's {self._kind.table_field} is empty")

    def _part(self, value: Any, field: str) -> dict[str, Any]:
        part = value.get(field, {}) if isinstance(value, dict) else None
        if not isinstance(part, dict):
            raise ValueError(f"{field} in the master's answer to {self._kind.code} is no object")
        return part
