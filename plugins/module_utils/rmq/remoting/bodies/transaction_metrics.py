# SPDX-License-Identifier: Apache-2.0
"""config/transactionMetrics: how many half messages of each topic are open."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict

from ..json_body import WHOLE_NUMBER, JsonBody, body, mapping, wire
from .data_version import DataVersion


@dataclass(frozen=True)
class TransactionMetric(JsonBody):
    count: int = wire(WHOLE_NUMBER, 0)
    # Apache's spelling; every other body says `timestamp`.
    time_stamp: int = wire(WHOLE_NUMBER, 0)


@dataclass(frozen=True)
class TransactionMetricsSerializeWrapper(JsonBody):
    data_version: DataVersion = wire(body(DataVersion), factory=DataVersion)
    transaction_count: Dict[str, TransactionMetric] = wire(mapping(body(TransactionMetric)), factory=dict)
