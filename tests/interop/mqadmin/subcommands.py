# SPDX-License-Identifier: Apache-2.0
"""The 90 subcommands that Apache's mqadmin 5.4.0 registers, in its own order.

TIER_A has to work in the four classic modes, TIER_B is good to have; both are compared between the engines. TIER_C
belongs to features that this engine does not have: each is named with the reason, and a command line that brings it as
far as a server (or "" where it asks none).
"""

from __future__ import annotations

import re

TIER_A = (
    *("updateTopic", "updateTopicList", "deleteTopic", "updateSubGroup", "updateSubGroupList", "deleteSubGroup"),
    *("updateBrokerConfig", "updateTopicPerm", "topicRoute", "topicStatus", "topicClusterList", "brokerStatus"),
    *("queryMsgById", "queryMsgByKey", "queryMsgByUniqueKey", "queryMsgByOffset", "queryMsgTraceById", "printMsg"),
    *("printMsgByQueue", "sendMsgStatus", "brokerConsumeStats", "producerConnection", "consumerConnection"),
    *("consumerProgress", "consumerStatus", "cloneGroupOffset", "producer", "clusterList", "topicList"),
    *("updateKvConfig", "deleteKvConfig", "wipeWritePerm", "addWritePerm", "resetOffsetByTime"),
    *("skipAccumulatedMessage", "updateOrderConf", "cleanExpiredCQ", "deleteExpiredCommitLog", "cleanUnusedTopic"),
    *("statsAll", "allocateMQ", "checkMsgSendRT", "clusterRT", "getNamesrvConfig", "updateNamesrvConfig"),
    *("getBrokerConfig", "getConsumerConfig", "queryCq", "sendMessage", "consumeMessage", "exportMetadata"),
    *("exportConfigs", "exportMetrics", "haStatus"),
)

TIER_B = (
    *("setConsumeMode", "resetMasterFlushOffset", "startMonitoring"),
    *("createUser", "updateUser", "deleteUser", "getUser", "listUser", "copyUser"),
    *("createAcl", "updateAcl", "deleteAcl", "getAcl", "listAcl", "copyAcl"),
)

_CONTAINER = "a broker container, which this engine does not have"
_STATIC = "static topics, which this engine does not have"
_CONTROLLER = "controller mode, which this engine does not have"
_COLD = "cold data flow control, which this engine does not have"
_ROCKSDB = "the RocksDB store, which this engine does not have"

TIER_C = {
    "addBroker": (_CONTAINER, "-c {master} -b {directory}/broker.conf"),
    "removeBroker": (_CONTAINER, "-c {master} -b DefaultCluster:broker-a:0"),
    "updateStaticTopic": (_STATIC, "-t ParityStatic -qn 4 -b broker-a"),
    "remappingStaticTopic": (_STATIC, "-t ParityStatic -b broker-a"),
    "exportMetadataInRocksDB": (_ROCKSDB, ""),
    "exportPopRecord": ("POP's records in RocksDB", "-b {master} -d true"),
    "getSyncStateSet": (_CONTROLLER, "-a {master} -b broker-a"),
    "getBrokerEpoch": (_CONTROLLER, "-b broker-a"),
    "getControllerMetaData": (_CONTROLLER, "-a {master}"),
    "getControllerConfig": (_CONTROLLER, "-a {master}"),
    "updateControllerConfig": (_CONTROLLER, "-a {master} -k enableElectUncleanMaster -v false"),
    "electMaster": (_CONTROLLER, "-a {master} -b 1 -bn broker-a -c DefaultCluster"),
    "cleanBrokerMetadata": (_CONTROLLER, "-a {master} -bn broker-a -c DefaultCluster"),
    "dumpCompactionLog": ("a local file of compaction topics", ""),
    "getColdDataFlowCtrInfo": (_COLD, "-b {master}"),
    "updateColdDataFlowCtrGroupConfig": (_COLD, "-b {master} -g parity-cold -v 1024"),
    "removeColdDataFlowCtrGroupConfig": (_COLD, "-b {master} -g parity-cold"),
    "setCommitLogReadAheadMode": (_COLD, "-b {master} -m 0"),
    "rocksDBConfigToJson": (_ROCKSDB, "-t topics -b {master}"),
    "checkRocksdbCqWriteProgress": (_ROCKSDB, "-c DefaultCluster -t Parity"),
    "switchTimerEngine": (_ROCKSDB, "-b {master} -e F"),
}


def registered(printed: str) -> set[str]:
    """The subcommands that mqadmin lists when it is called without any."""
    return set(re.findall(r"^   (\w+) ", printed, re.MULTILINE))
