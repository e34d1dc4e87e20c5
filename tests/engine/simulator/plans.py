# SPDX-License-Identifier: Apache-2.0
"""What a run is about: the settings of a pair, what befalls it, and what must survive that.

| plan | brokers | faults | must survive |
|---|---|---|---|
| kills | 2m-2s-async's pair | kill -9, clean stops, wires, clock jumps | everything acknowledged, as it was seen |
| alone | ASYNC_MASTER with SYNC_FLUSH and a slave | and power losses of either or both | everything acknowledged |
| sync | 2m-2s-sync's pair | the same | the same |
| slaves | a master, two slaves, three copies | the same | the same |
| quorum | a master, two slaves, two copies | the same | the same |
| power | 2m-2s-sync's pair, flush on timers | and power losses, one machine at a time | everything acknowledged |
| three | a master, two slaves, three copies | the same | everything acknowledged |
| flush | SYNC_FLUSH on both | and power losses of either or both | everything acknowledged |
| reports | ASYNC_FLUSH on the master, SYNC_FLUSH on its slave | the same | everything acknowledged |
| disks | 2m-2s-sync's pair | and full, failing, damaged and lost disks, one at a time | everything acknowledged |
| rebuild | a master, two slaves, two copies | the same | everything acknowledged |
| timers | 2m-2s-sync's pair, timed messages | all of the above but clock jumps | everything acknowledged |

This is the table of docs/replication.md, tried.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rmq.broker.broker_config import SettingValue

    Settings = dict[str, SettingValue]

#: Processes end and come back; wires between any two of masters, slaves, name server and client fail.
KILLS = (
    *("kill-master", "kill-master", "kill-slave", "kill-slave", "stop-master", "stop-slave", "kill-name-server"),
    *("cut", "freeze", "half-open", "delay", "hang", "jump"),
)
#: A time that was named while the clock was ahead is far away when it is right again.
NO_JUMPS = tuple(one for one in KILLS if one != "jump")
#: One machine at a time, after the other has everything on its disk; or with the slaves' processes killed besides.
POWER = ("power-master", "power-slave", "blackout")
#: Whenever it comes.
POWER_ANY = ("power-any-master", "power-any-slave", "power-both")
DISKS = (
    *(
        "flip-killed-master",
        "flip-killed-slave",
        "flip-stopped-master",
        "flip-stopped-slave",
        "full-master",
        "full-slave",
    ),
    *("sync-fails-master", "sync-fails-slave", "fresh-slave", "lost-master", "lost-master"),
)


@dataclass(frozen=True)
class Plan:
    name: str
    master: Settings
    slave: Settings
    faults: tuple[str, ...]
    slaves: int = 1
    timed: bool = False
    """Delayed messages name a time and no level."""

    @property
    def loses_writes(self) -> bool:
        """A message that was seen and not acknowledged may be another one later."""
        return not {*POWER, *POWER_ANY, *DISKS}.isdisjoint(self.faults)


def _sync(replicas: int) -> Settings:
    return {"brokerRole": "SYNC_MASTER", "inSyncReplicas": replicas}


_FLUSH: Settings = {"flushDiskType": "SYNC_FLUSH"}

PLANS = {
    plan.name: plan
    for plan in (
        Plan("kills", {"brokerRole": "ASYNC_MASTER"}, {}, KILLS),
        Plan("alone", {"brokerRole": "ASYNC_MASTER", **_FLUSH}, {}, (*KILLS, *POWER_ANY)),
        Plan("sync", _sync(2), {}, KILLS),
        Plan("slaves", _sync(3), {}, KILLS, slaves=2),
        Plan("quorum", _sync(2), {}, KILLS, slaves=2),
        Plan("power", _sync(2), {}, (*KILLS, *POWER)),
        Plan("three", _sync(3), {}, (*KILLS, *POWER), slaves=2),
        Plan("flush", {**_sync(2), **_FLUSH}, _FLUSH, (*KILLS, *POWER_ANY)),
        Plan("reports", _sync(2), _FLUSH, (*KILLS, *POWER_ANY)),
        Plan("disks", _sync(2), {}, (*KILLS, *DISKS)),
        Plan("rebuild", _sync(2), {}, (*KILLS, *DISKS), slaves=2),
        Plan("timers", _sync(2), {}, (*NO_JUMPS, *POWER, *DISKS), timed=True),
    )
}
