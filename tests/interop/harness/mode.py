# SPDX-License-Identifier: Apache-2.0
"""The four modes as broker settings, with the defaults that the collection gives to both engines."""

from __future__ import annotations

from dataclasses import dataclass

# Small files and patient time-outs: many brokers share one small and busy machine.
_SETTINGS = {
    "brokerClusterName": "DefaultCluster",
    "flushDiskType": "ASYNC_FLUSH",
    "mappedFileSizeCommitLog": "67108864",
    "mappedFileSizeConsumeQueue": "600000",
    "maxIndexNum": "40000",
    "maxHashSlotNum": "10000",
    "autoCreateTopicEnable": "true",
    "autoCreateSubscriptionGroup": "true",
    "enablePropertyFilter": "true",
    "recallMessageEnable": "true",
    # 30 s by default: a test of transactions waits for two rounds.
    "transactionCheckInterval": "3000",
    "transactionTimeOut": "1000",
    "cleanFileForciblyEnable": "false",
    # Ours by default; here for both, so that both write the same records.
    "enabledAppendPropCRC": "true",
    "registerNameServerPeriod": "10000",
    "waitTimeMillsInSendQueue": "5000",
    "osPageCacheBusyTimeOutMills": "5000",
}


@dataclass(frozen=True)
class BrokerPlan:
    """One broker of a mode: who it is, and the settings that its mode decides."""

    broker_name: str
    broker_id: int
    settings: dict[str, str]

    @property
    def node(self) -> str:
        """The name of the node, as the inventories call it: broker-a, broker-a-s."""
        return self.broker_name + ("-s" if self.broker_id == 1 else f"-s{self.broker_id}" if self.broker_id else "")


def plan(mode: str, slave_count: int = 1, pairs: tuple[str, ...] = ("broker-a", "broker-b")) -> tuple[BrokerPlan, ...]:
    """The brokers of a mode, masters first. slave_count: under each master, where the mode has slaves."""
    if mode == "single-master":
        pairs = pairs[:1]
    slave_count = slave_count if mode.startswith("2m-2s-") else 0
    master_role = "SYNC_MASTER" if mode == "2m-2s-sync" else "ASYNC_MASTER"
    in_sync = {"inSyncReplicas": str(1 + slave_count)} if mode == "2m-2s-sync" else {}
    masters = tuple(BrokerPlan(pair, 0, _SETTINGS | in_sync | {"brokerRole": master_role}) for pair in pairs)
    slave = _SETTINGS | {"brokerRole": "SLAVE", "slaveReadEnable": "true"}
    return masters + tuple(BrokerPlan(pair, 1 + i, slave) for i in range(slave_count) for pair in pairs)
