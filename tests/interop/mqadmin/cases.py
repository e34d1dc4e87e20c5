# SPDX-License-Identifier: Apache-2.0
"""Every command of tiers A and B, in the order in which they run: one history for both engines.

ONLINE: a push consumer (group parity-group, with trace) and a producer are connected. OFFLINE: both have gone.
PROCESSES: starts of their own. USERS: users and access control lists.
"""

from __future__ import annotations

from .case import NUMBERS, Case

TOPIC, GROUP, PRODUCER, CLONE = "Parity", "parity-group", "parity-producer", "parity-clone"
TRACE_TOPIC = "ParityTrace"
QUEUES = 4

_ROUTES = (
    Case(f"topicRoute -t {TOPIC}"),
    Case(f"topicRoute -t {TOPIC} -l"),
    Case("topicRoute -t NoSuchTopic"),
    Case(f"topicClusterList -t {TOPIC}"),
    Case("topicClusterList -t NoSuchTopic"),
    Case("topicList"),
    Case("topicList -c"),
    Case("clusterList", live=NUMBERS),
    Case("clusterList -m", live=NUMBERS),
    Case("clusterList -c DefaultCluster", live=NUMBERS),
    Case(f"topicStatus -t {TOPIC}"),
    Case("topicStatus -t NoSuchTopic"),
    Case("allocateMQ -t ParityThree -i 192.0.2.1,192.0.2.2,192.0.2.3"),
)

# A client commits the offset of its retry topic when it comes to it.
_RETRY = "%RETRY%"
# Where a thread stands when its stack is taken is chance.
_STACK = rf"{_RETRY}|^\S+ (app//|java\.base@|TID: )"
_CLIENTS = (
    Case(f"producerConnection -g {PRODUCER} -t {TOPIC}"),
    Case(f"producerConnection -g nobody -t {TOPIC}"),
    Case("producer -b {master}"),
    Case(f"consumerConnection -g {GROUP}"),
    Case(f"consumerConnection -g {GROUP} -b {{master}}"),
    Case("consumerConnection -g nobody"),
    Case(f"consumerStatus -g {GROUP}", live=NUMBERS),
    Case(f"consumerStatus -g {GROUP} -b {{master}}", live=NUMBERS),
    Case(f"consumerStatus -g {GROUP} -i {{client}}", live=NUMBERS, sometimes=_RETRY),
    Case(f"consumerStatus -g {GROUP} -i {{client}} -s", live=NUMBERS, repeats=True, sometimes=_STACK),
    Case(f"consumerStatus -g {GROUP} -i nobody"),
    Case("consumerStatus -g nobody"),
    Case(f"getConsumerConfig -g {GROUP}"),
    Case("getConsumerConfig -g nobody"),
)

_MESSAGES = (
    # A consumer commits every 5 s; only then is a message known as consumed.
    Case(f"consumerProgress -g {GROUP} -t {TOPIC}", shows="Consume Diff Total: 0"),
    Case(f"queryMsgById -t {TOPIC} -i {{offset_msg_id}}"),
    Case(f"queryMsgById -t {TOPIC} -i {{offset_msg_id}} -f UTF-8"),
    Case(f"queryMsgById -t {TOPIC} -i {{offset_msg_id}} -g {GROUP} -d {{client}}", live=NUMBERS),
    Case(f"queryMsgById -t {TOPIC} -i {{offset_msg_id}} -g {GROUP} -d nobody"),
    Case(f"queryMsgById -t {TOPIC} -i {{absent_offset_msg_id}}"),
    Case(f"queryMsgByKey -t {TOPIC} -k k0000003"),
    Case(f"queryMsgByKey -t {TOPIC} -k k0000003 -b 0 -e 1 -m 5"),
    Case(f"queryMsgByKey -t {TOPIC} -k NoSuchKey"),
    Case(f"queryMsgByUniqueKey -t {TOPIC} -i {{msg_id}}"),
    Case(f"queryMsgByUniqueKey -t {TOPIC} -i {{msg_id}} -a"),
    Case(f"queryMsgByUniqueKey -t {TOPIC} -i {{msg_id}} -g {GROUP} -d {{client}}", live=NUMBERS),
    Case(f"queryMsgByUniqueKey -t {TOPIC} -i {{msg_id}} -g {GROUP} -d nobody"),
    Case(f"queryMsgByUniqueKey -t {TOPIC} -i {{absent_msg_id}}"),
    Case(f"queryMsgByOffset -t {TOPIC} -b broker-a -i 1 -o 2"),
    Case(f"queryMsgByOffset -t {TOPIC} -b broker-a -i 1 -o 2 -f UTF-8"),
    Case(f"queryMsgByOffset -t {TOPIC} -b broker-a -i 1 -o 1000"),
    Case(f"queryMsgTraceById -i {{traced_msg_id}} -t {TRACE_TOPIC}", live=NUMBERS, shows="Sub "),
    Case("queryMsgTraceById -i {traced_msg_id}", live=NUMBERS, shows="Pub "),
    Case("queryMsgTraceById -i {traced_msg_id} -b 0 -e 1 -c 1", live=NUMBERS),
    Case(f"sendMessage -t {TOPIC} -p hello -k key -c tag -b broker-a -i 0"),
    Case("sendMessage -t ParityThree -p hello", live=NUMBERS),
    Case(f"sendMessage -t {TOPIC} -p hello -i 0"),
    Case("sendMessage -t NoSuchTopic -p hello -b broker-a -i 0"),
    Case("sendMessage -t ParityReadOnly -p hello -b broker-a -i 0"),
    Case("queryMsgById -t ParityIdle -i {idle_msg_id} -s true", live=NUMBERS),
    Case(f"consumeMessage -t {TOPIC} -b broker-a -i 1 -o 0 -c 3"),
    Case(f"consumeMessage -t {TOPIC} -b broker-a -i 1 -c 2 -g parity-tool"),
    Case(f"consumeMessage -t {TOPIC} -b broker-a -i 1 -o 1000"),
    Case(f"consumeMessage -t {TOPIC} -b broker-b -i 1 -s 0 -e {{end_ms}}"),
    Case("consumeMessage -t ParityIdle"),
    Case("printMsg -t ParityIdle -d true"),
    Case("printMsg -t ParityIdle -d true -s a -c UTF-8 -b 0 -e {end_ms}"),
    Case(f"printMsgByQueue -t {TOPIC} -a broker-b -i 1 -p true -d true"),
    Case(f"printMsgByQueue -t {TOPIC} -a broker-b -i 1 -f true -s a"),
    Case(f"queryCq -t {TOPIC} -q 1 -i 0 -c 3 -b {{master}}"),
    Case(f"queryCq -t {TOPIC} -q 1 -i 1 -c 2 -g {GROUP} -b {{master}}"),
    Case("queryCq -t ParityIdle -q 0 -i 0"),
    Case(f"queryCq -t {TOPIC} -q 9 -i 0 -b {{master}}"),
    Case("sendMsgStatus -b broker-a -c 3 -s 64", live=NUMBERS),
    Case("checkMsgSendRT -t ParityThree -a 6 -s 64", live=NUMBERS),
)

_PROGRESS = (
    Case(f"consumerProgress -g {GROUP}", shows=r"Consume Diff Total: 0", sometimes=_RETRY),
    Case(f"consumerProgress -g {GROUP} -t {TOPIC} -s true"),
    # Its rate is that of the last minute.
    Case("consumerProgress", live=r"CLUSTERING +\d+"),
    Case("consumerProgress -g nobody"),
    Case("brokerConsumeStats -b {master}", sometimes=_RETRY),
    Case("brokerConsumeStats -b {master} -l 1 -o true -t 3000"),
)

_RESETS_ONLINE = (
    Case(f"cloneGroupOffset -s {GROUP} -d {CLONE} -t {TOPIC}"),
    Case("cloneGroupOffset -s nobody -d parity-clone -t Parity"),
    Case(f"consumerProgress -g {CLONE}"),
    # By the clients, whose own offsets change; then by the broker, which moves them when they next pull.
    Case("updateBrokerConfig -c DefaultCluster -k useServerSideResetOffset -v false"),
    Case(f"resetOffsetByTime -g {GROUP} -t {TOPIC} -s 0 -f true", rereads=True),
    Case("updateBrokerConfig -c DefaultCluster -k useServerSideResetOffset -v true"),
    Case(f"resetOffsetByTime -g {GROUP} -t {TOPIC} -s 0"),
    Case(f"resetOffsetByTime -g {GROUP} -t NoSuchTopic -s 0"),
    Case(f"resetOffsetByTime -g {GROUP} -t {TOPIC} -s now -b {{master}} -q 1 -o 2"),
    Case(f"resetOffsetByTime -g {GROUP} -t {TOPIC} -s now -b {{master}} -q 1 -o 1000"),
    Case(f"resetOffsetByTime -g {GROUP} -t {TOPIC} -s 1000 -b {{master}} -q 2"),
    Case(f"skipAccumulatedMessage -g {GROUP} -t {TOPIC}"),
    Case(f"setConsumeMode -b {{master}} -t {TOPIC} -g {GROUP} -m PULL"),
    Case(f"setConsumeMode -c DefaultCluster -t {TOPIC} -g {GROUP} -m POP -q 2"),
    Case(f"setConsumeMode -c DefaultCluster -t {TOPIC} -g {GROUP} -m PULL"),
    Case("updateBrokerConfig -c DefaultCluster -k useServerSideResetOffset -v false"),
)

# The group has gone, and resets are not the broker's own (useServerSideResetOffset=false): the tool's old way.
_RESETS_OFFLINE = (
    Case(f"consumerConnection -g {GROUP}"),
    Case(f"consumerStatus -g {GROUP}"),
    Case(f"resetOffsetByTime -g {GROUP} -t {TOPIC} -s 0"),
    Case(f"consumerProgress -g {GROUP}", sometimes=_RETRY),
    Case(f"skipAccumulatedMessage -g {GROUP} -t {TOPIC} -f true"),
    Case(f"consumerProgress -g {GROUP}", sometimes=_RETRY),
    Case("updateBrokerConfig -c DefaultCluster -k useServerSideResetOffset -v true"),
    Case(f"resetOffsetByTime -g {GROUP} -t {TOPIC} -s 2020-01-01#00:00:00:000"),
    Case(f"consumerProgress -g {GROUP} -t {TOPIC}"),
    Case(f"skipAccumulatedMessage -g {GROUP} -t {TOPIC}"),
    Case("skipAccumulatedMessage -g nobody -t Parity"),
)

# Six messages, read by a group of their own. Statistics are sampled every 10 s.
_STATISTICS = (
    Case("checkMsgSendRT -t ParityStats -a 6 -s 64", live=NUMBERS),
    Case("consumeMessage -t ParityStats -b broker-a -i 0 -g parity-stats"),
    Case("skipAccumulatedMessage -g parity-stats -t ParityStats"),
    Case("statsAll -t ParityStats", live=r"\b\d+\.\d\d\b", shows=r" 6 +6\n"),
    Case("statsAll", live=NUMBERS, repeats=True),
    Case("statsAll -a -t ParityStats", live=NUMBERS),
    Case("brokerStatus -b {master}", live=NUMBERS, differs=("runtime-info",)),
    Case("brokerStatus -c DefaultCluster", live=NUMBERS, differs=("runtime-info",)),
    Case("brokerStatus -b {slave}", live=NUMBERS, differs=("runtime-info",)),
    Case("haStatus -b {master}", live=NUMBERS),
    Case("haStatus -c DefaultCluster", live=NUMBERS),
    Case("haStatus -b {slave}", live=NUMBERS),
)

_TOPICS = (
    Case("updateTopic -c DefaultCluster -t ParityMade -r 3 -w 2 -p 4 -a +message.type=FIFO"),
    Case("topicRoute -t ParityMade"),
    Case("updateTopic -c DefaultCluster -t ParityMade -r 3 -w 2 -a +message.type=NORMAL"),
    Case("updateTopic -c DefaultCluster -t ParityMade -r 3 -w 2 -a +message.type=PRIORITY"),
    Case("updateTopic -c DefaultCluster -t ParityMade -r 5 -w 5 -p 6 -u true -s true"),
    Case("topicRoute -t ParityMade"),
    Case("updateTopic -b {master} -t ParityOrder -r 2 -w 2 -o true"),
    Case("updateOrderConf -t ParityOrder -m get"),
    Case("updateTopic -b {master_b} -t ParityOrder -r 3 -w 3 -o true"),
    Case("updateOrderConf -t ParityOrder -m get"),
    Case("updateTopic -c DefaultCluster -t ParityOrderAll -r 2 -w 2 -o true"),
    Case("topicRoute -t ParityOrderAll"),
    Case("updateTopic -b {master} -t 'not a topic'"),
    Case("updateTopic -b {master} -t TBW102"),
    Case("updateTopic -b {master} -t ParityMade -a +no.such.attribute=1"),
    Case("updateTopic -b {slave} -t ParityAtSlave"),
    Case("updateTopic -b {master} -t ParityCompact -a +cleanup.policy=COMPACTION", differs=("no-compaction",)),
    Case("updateTopic -b {master} -t ParityBatches -a +queue.type=BatchCQ", differs=("no-compaction",)),
    Case("deleteTopic -c DefaultCluster -t ParityCompact"),
    Case("deleteTopic -c DefaultCluster -t ParityBatches"),
    Case("updateTopicPerm -c DefaultCluster -t ParityMade -p 4"),
    Case("updateTopicPerm -b {master} -t ParityMade -p 6"),
    Case("updateTopicPerm -b {master} -t ParityMade -p 6"),
    Case("updateTopicPerm -b {slave} -t ParityMade -p 2"),
    Case("updateTopicPerm -b {master} -t NoSuchTopic -p 4"),
    Case("topicRoute -t ParityMade"),
    Case("updateTopicList -c DefaultCluster -f {directory}/topics.json"),
    Case("updateTopicList -b {master} -f {directory}/bad-topics.json"),
    Case("updateTopicList -b {master} -f {directory}/half-bad-topics.json", differs=("list-with-an-unchanged-topic",)),
    Case("topicRoute -t ParityList1"),
    Case("updateOrderConf -t ParityOrder -m put -v broker-a:4;broker-b:2"),
    Case("updateOrderConf -t ParityOrder -m get"),
    Case("topicRoute -t ParityOrder"),
    Case("updateOrderConf -t ParityOrder -m delete"),
    Case("updateOrderConf -t ParityOrder -m get"),
    Case("deleteTopic -c DefaultCluster -t ParityMade"),
    Case("topicRoute -t ParityMade"),
    Case("deleteTopic -c DefaultCluster -t NoSuchTopic"),
    Case("deleteTopic -c DefaultCluster -t TBW102"),
)

_GROUPS = (
    Case(
        "updateSubGroup -c DefaultCluster -g parity-made -s true -m true -d false -o false -q 2 -r 3 -i 0 -w 1 -a true"
    ),
    Case(
        "updateSubGroup -b {master} -g parity-made -r 5 --attributes +no.such.attribute=1", differs=("java-in-remarks",)
    ),
    Case(
        "updateSubGroup -b {master} -g parity-made -r 5 --attributes +priority.factor=101", differs=("java-in-remarks",)
    ),
    Case("updateSubGroup -c DefaultCluster -g parity-made -r 5 --attributes +priority.factor=50"),
    Case("updateSubGroup -c DefaultCluster -g parity-made -p {retry_policy}"),
    Case("updateSubGroup -b {master} -g 'not a group'"),
    Case("updateSubGroup -b {slave} -g parity-at-slave"),
    Case("getConsumerConfig -g parity-made"),
    Case("updateSubGroupList -c DefaultCluster -f {directory}/groups.json"),
    Case("updateSubGroupList -b {master} -f {directory}/bad-groups.json"),
    Case("getConsumerConfig -g parity-list-1"),
    Case("deleteSubGroup -b {master} -g parity-list-1"),
    Case("getConsumerConfig -g parity-list-1"),
    Case("deleteSubGroup -c DefaultCluster -g parity-list-2"),
    Case(f"deleteSubGroup -c DefaultCluster -g {CLONE} -r true"),
    Case("deleteSubGroup -b {master} -g nobody"),
    # While the consumer's group is there: Apache looks at a held pull up to 20 s after its client has gone, and makes a
    # group that was deleted meanwhile anew.
    Case("exportMetadata -c DefaultCluster -f {directory}/export", files=("export/metadata.json",), live=NUMBERS),
    Case("exportMetadata -c DefaultCluster -f {directory}/special -s", files=("special/metadata.json",), live=NUMBERS),
    Case("exportMetadata -b {master} -t -f {directory}/topics", files=("topics/topic.json",), live=NUMBERS),
    Case("exportMetadata -b {master} -g -f {directory}/groups", files=("groups/subscriptionGroup.json",), live=NUMBERS),
    Case(f"deleteSubGroup -c DefaultCluster -g {GROUP} -r true"),
    Case(f"consumerProgress -g {GROUP}", sometimes=_RETRY),
)

_BROKERS = (
    Case("updateBrokerConfig -b {master} -k fileReservedTime -v 48"),
    Case("updateBrokerConfig -c DefaultCluster -k fileReservedTime -v 48"),
    Case("updateBrokerConfig -c DefaultCluster -a true -k fileReservedTime -v 48"),
    Case("updateBrokerConfig -b {master} -k rocketmqHome -v x"),
    Case("updateBrokerConfig -b {master} -k noSuchKey -v 1", differs=("unknown-key-refused",)),
    Case("updateBrokerConfig -b {master} -k fileReservedTime -v x", differs=("bad-value-refused",)),
    Case("getBrokerConfig -b {master}", live=NUMBERS, differs=("keys-honoured",)),
    Case("getBrokerConfig -c DefaultCluster", live=NUMBERS, differs=("keys-honoured",)),
    Case("cleanExpiredCQ -b {master}"),
    Case("cleanExpiredCQ -c DefaultCluster"),
    Case("cleanExpiredCQ"),
    Case("cleanUnusedTopic -b {master}"),
    Case("cleanUnusedTopic -c DefaultCluster"),
    Case("deleteExpiredCommitLog -b {master}"),
    Case("deleteExpiredCommitLog -c DefaultCluster"),
    Case("resetMasterFlushOffset -b {slave} -o 0"),
    Case("resetMasterFlushOffset -b {master} -o 0"),
    Case(
        "exportConfigs -c DefaultCluster -f {directory}/export",
        files=("export/configs.json",),
        differs=("keys-honoured",),
    ),
    Case(
        "exportMetrics -c DefaultCluster -f {directory}/export",
        files=("export/metrics.json",),
        live=NUMBERS,
        # A client that beats while it leaves stays listed until its connection is seen closed.
        sometimes="JAVA%V5",
        differs=("keys-honoured",),
    ),
)

_NAME_SERVERS = (
    Case("updateKvConfig -s PARITY -k a -v b"),
    Case("deleteKvConfig -s PARITY -k a"),
    Case("deleteKvConfig -s PARITY -k a"),
    Case("getNamesrvConfig", live=NUMBERS, differs=("namesrv-keys",)),
    Case("updateNamesrvConfig -k enableTopicList -v true"),
    Case("updateNamesrvConfig -k noSuchKey -v 1", differs=("unknown-key-refused",)),
    Case("updateNamesrvConfig -k rocketmqHome -v x"),
    Case("wipeWritePerm -b broker-a"),
    Case(f"topicRoute -t {TOPIC}"),
    Case("addWritePerm -b broker-a"),
    Case(f"topicRoute -t {TOPIC}"),
    Case("wipeWritePerm -b nobody"),
)

# Starts of their own: the exit status belongs to the contract, and some run until they are stopped.
SINGLE_STARTS = (
    Case("clusterList", own_process=True, live=NUMBERS),
    Case("topicRoute -t NoSuchTopic", own_process=True),
)
PROCESSES = (
    # Its own group is in its first round or not, as the name server has heard of it.
    Case("startMonitoring", live=NUMBERS, repeats=True, until="endRound", sometimes="__MONITOR_CONSUMER"),
    *SINGLE_STARTS,
    # The option that it needs is not there: it ends with another status.
    Case("topicRoute", own_process=True),
    Case("clusterRT -a 2 -s 64 -i 1 -c DefaultCluster", live=NUMBERS, until="DefaultCluster", times=2),
)

ONLINE = (*_ROUTES, *_MESSAGES, *_PROGRESS, *_CLIENTS, *_RESETS_ONLINE)
OFFLINE = (*_RESETS_OFFLINE, *_STATISTICS, *_TOPICS, *_GROUPS, *_BROKERS, *_NAME_SERVERS)

#: Asked of our own mqadmin as well, on our servers.
OWN_TOOL = (
    f"topicRoute -t {TOPIC}",
    f"topicStatus -t {TOPIC}",
    "topicList",
    "clusterList",
    "brokerStatus -b {master}",
    "haStatus -b {master}",
    "statsAll -t ParityStats",
    "consumerProgress -g parity-stats",
    "brokerConsumeStats -b {master}",
    "wipeWritePerm -b broker-a",
    "addWritePerm -b broker-a",
)

USERS = (
    # With -c, get and list show the first broker that answers, in the order of a hash map: those cases name one.
    Case("createUser -c DefaultCluster -u parity -p secret12 -t Normal"),
    Case("createUser -b {master} -u admin -p secret12 -t Super"),
    Case("createUser -b {master} -u parity -p secret12"),
    Case("updateUser -b {master} -u parity -s disable"),
    Case("updateUser -c DefaultCluster -u parity -p secret13"),
    Case("updateUser -b {master} -u nobody -t Super"),
    Case("getUser -b {master} -u parity", differs=("no-passwords",)),
    Case("getUser -b {master_b} -u parity", differs=("no-passwords",)),
    Case("getUser -b {master} -u nobody"),
    Case("listUser -b {master}", differs=("no-passwords",)),
    Case("listUser -b {master} -f par", differs=("no-passwords",)),
    Case("copyUser -f {master} -t {master_b}", differs=("no-copied-users",)),
    # There already: what is copied then is not the password.
    Case("copyUser -f {master} -t {master_b} -u parity"),
    Case("createAcl -c DefaultCluster -s User:parity -r Topic:Parity,Group:* -a Pub,Sub -i 192.0.2.0/24 -d Allow"),
    Case("createAcl -b {master} -s User:parity -r Topic:Parity -a Pub -d Allow"),
    Case("createAcl -b {master} -s User:nobody -r Topic:Parity -a Pub -d Allow"),
    Case("updateAcl -b {master} -s User:parity -r Topic:Parity -a Pub -d Deny"),
    Case("updateAcl -c DefaultCluster -s User:parity -r Topic:Parity2 -a Sub -d Allow"),
    Case("getAcl -b {master} -s User:parity"),
    Case("getAcl -b {master_b} -s User:parity"),
    Case("getAcl -b {master} -s User:nobody"),
    Case("listAcl -b {master}"),
    Case("listAcl -b {master} -s parity -r Parity"),
    Case("copyAcl -f {master} -t {master_b}"),
    Case("copyAcl -f {master} -t {master_b} -s User:parity"),
    Case("deleteAcl -b {master} -s User:parity -r Topic:Parity"),
    Case("deleteAcl -c DefaultCluster -s User:parity"),
    Case("deleteUser -b {master} -u parity"),
    Case("deleteUser -c DefaultCluster -u admin"),
    Case("deleteUser -b {master} -u nobody"),
)
