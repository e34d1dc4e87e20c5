# SPDX-License-Identifier: Apache-2.0
"""config/timermetrics and the answer to 61: how many timer messages of each topic wait."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict

from ..json_body import WHOLE_NUMBER, JsonBody, body, mapping, wire
from .data_version import DataVersion


@dataclass(frozen=True)
class TimerMetric(JsonBody):
    count: int = wire(WHOLE_NUMBER, 0)
    # Apache's spelling; most other bodies say `timestamp`.
    time_stamp: int = wire(WHOLE_NUMBER, 0)


@dataclass(frozen=True)
class TimerMetricsSerializeWrapper(JsonBody):
    data_version: DataVersion = wire(body(DataVersion), factory=DataVersion)
    timing_count: Dict[str, TimerMetric] = wire(mapping(body(TimerMetric)), factory=dict)
