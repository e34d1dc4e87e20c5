# SPDX-License-Identifier: Apache-2.0
"""What some rounds of faults came to: counts of acknowledged messages, and how long the broker was away."""

from __future__ import annotations

import statistics
from dataclasses import dataclass, field


@dataclass
class Figures:
    """`lost`, `duplicated` and `out_of_order` count messages that were acknowledged and then read back whole."""

    rounds: int = 0
    acknowledged: int = 0
    lost: int = 0
    duplicated: int = 0
    out_of_order: int = 0
    recovery_s: list[float] = field(default_factory=list)
    """From the start of the process to its answering again, of each round."""

    def text(self) -> str:
        counts = (
            f"rounds {self.rounds}, acknowledged {self.acknowledged}, lost {self.lost},"
            f" duplicated {self.duplicated}, out of order {self.out_of_order}"
        )
        if not self.recovery_s:
            return counts
        return f"{counts}, time to recover {statistics.median(self.recovery_s):.2f} s (max {max(self.recovery_s):.2f})"
