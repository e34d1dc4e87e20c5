# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dataclasses import dataclass

from ..json_body import WHOLE_NUMBER, JsonBody, wire


@dataclass(frozen=True)
class DataVersion(JsonBody):
    """Says whether a table has changed. Peers compare the three numbers for equality and never for order."""

    counter: int = wire(WHOLE_NUMBER, 0)
    state_version: int = wire(WHOLE_NUMBER, 0)
    timestamp: int = wire(WHOLE_NUMBER, 0)

    def next_version(self, now_ms: int) -> DataVersion:
        return DataVersion(self.counter + 1, self.state_version, now_ms)
