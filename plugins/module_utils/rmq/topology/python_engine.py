# SPDX-License-Identifier: Apache-2.0
"""What the Python engine does with each key: honours it, takes it without effect, or refuses it.

- HONOURED: the engine reads it, and it does what it does on Apache. A test compares the table with what is read.
- ACCEPTED: known to Apache, harmless here (Java thread counts, Netty buffers): listed once at start.
- REFUSED: a value that asks for other data on disk or for a promise which this engine does not keep. Apache's own
  default is never refused, so that a file that Apache's broker rewrote in full (456 lines) still starts ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Mapping, Tuple

from .keys import Key
from .kind import Kind


class Use(str, Enum):
    """What becomes of a key at the Python engine."""

    HONOURED = "honoured"
    ACCEPTED = "accepted without effect"
    REFUSED = "refused"


@dataclass(frozen=True)
class Refusal:
    """Only ``allowed`` values start the engine; ``why`` says what the others would have promised."""

    allowed: Tuple[str, ...]
    why: str


# Apache's system properties (TlsSystemConfig), keys of the same files here; see tls.py for what differs.
TLS_NOTES: Mapping[str, str] = {
    "tls.config.file": "a properties file with these keys (but tls.server.mode), which win over those beside it",
    "tls.server.mode": "disabled, permissive (TLS and plain on one port) or enforcing",
    "tls.server.certPath": "the server's certificate chain, PEM; read again when it changes",
    "tls.server.keyPath": "its private key, PEM",
    "tls.server.keyPassword": "what the key is encrypted with; shown to nobody",
    "tls.server.trustCertPath": "who signs clients' certificates, PEM",
    "tls.server.need.client.auth": "none, optional or require: whether clients show a certificate",
    "tls.server.authClient": "false: tls.server.trustCertPath is not used",
    "tls.client.certPath": "the certificate shown to other servers, PEM",
    "tls.client.keyPath": "its private key, PEM",
    "tls.client.keyPassword": "what the key is encrypted with; shown to nobody",
    "tls.client.trustCertPath": "who signs other servers' certificates, PEM; without it everybody is believed",
    "tls.client.authServer": "false: tls.client.trustCertPath is not used",
    "tls.test.mode.enable": "true: other servers are believed without a look at their certificates",
}
_TLS_BOOLEANS = frozenset(("tls.server.authClient", "tls.client.authServer", "tls.test.mode.enable"))
_OWN_DEFAULTS = {"tls.server.mode": "disabled", "tls.server.need.client.auth": "none"}

HONOURED_BROKER = frozenset(
    (
        # Identity
        "brokerClusterName",
        "brokerName",
        "brokerId",
        "brokerRole",
        "namesrvAddr",
        "brokerIP1",
        "brokerIP2",
        "brokerPermission",
        "regionId",
        "traceOn",
        # Ports
        "listenPort",
        "haListenPort",
        "bindAddress",
        "bindAddresses",
        # Paths
        "storePathRootDir",
        "storePathCommitLog",
        "readOnlyCommitLogStorePaths",
        # Flush
        "flushDiskType",
        "flushIntervalCommitLog",
        "flushCommitLogThoroughInterval",
        "flushConsumeQueueThoroughInterval",
        "syncFlushTimeout",
        # Files
        "mappedFileSizeCommitLog",
        "mappedFileSizeConsumeQueue",
        "maxMessageSize",
        "enabledAppendPropCRC",
        # Index
        "messageIndexEnable",
        "maxHashSlotNum",
        "maxIndexNum",
        "maxMsgsNumBatch",
        "defaultQueryMaxNum",
        # Retention and disk
        "fileReservedTime",
        "deleteWhen",
        "diskMaxUsedSpaceRatio",
        "diskSpaceCleanForciblyRatio",
        "diskSpaceWarningLevelRatio",
        "cleanFileForciblyEnable",
        "cleanResourceInterval",
        # Replication
        "haMasterAddress",
        "haSendHeartbeatInterval",
        "haHousekeepingInterval",
        "haTransferBatchSize",
        "haMaxGapNotInSync",
        "haPeers",
        "slaveTimeout",
        "slaveReadEnable",
        "offsetCheckInSlave",
        "inSyncReplicas",
        # Topics and groups
        "autoCreateTopicEnable",
        "autoCreateSubscriptionGroup",
        "defaultTopicQueueNums",
        "clusterTopicEnable",
        "brokerTopicEnable",
        "traceTopicEnable",
        "msgTraceTopicName",
        "enableCreateSysGroup",
        "validateSystemTopicWhenUpdateTopic",
        "enableMixedMessageType",
        "reviveQueueNum",
        # POP
        "reviveInterval",
        "serverLoadBalancerEnable",
        "defaultMessageRequestMode",
        "defaultPopShareQueueNum",
        "enableRetryTopicV2",
        "retrieveMessageFromPopRetryTopicV1",
        "popFromRetryProbability",
        "popFromRetryProbabilityForPriority",
        "priorityOrderAsc",
        "popResponseReturnActualRetryTopic",
        "initPopOffsetByCheckMsgInMem",
        "popPollingSize",
        "popPollingMapSize",
        "maxPopPollingSize",
        "popCkMaxBufferSize",
        # Flow limits
        "maxTransferBytesOnMessageInMemory",
        "maxTransferCountOnMessageInMemory",
        "maxTransferBytesOnMessageInDisk",
        "maxTransferCountOnMessageInDisk",
        "accessMessageInMemoryMaxRatio",
        "longPollingEnable",
        "shortPollingTimeMills",
        "litePullMessageEnable",
        "rejectPullConsumerEnable",
        "enablePropertyFilter",
        "filterDataCleanTimeSpan",
        "startAcceptSendRequestTimeStamp",
        "storeReplyMessageEnable",
        "brokerFastFailureEnable",
        "sendThreadPoolQueueCapacity",
        "queryThreadPoolQueueCapacity",
        "osPageCacheBusyTimeOutMills",
        "waitTimeMillsInSendQueue",
        "waitTimeMillsInPullQueue",
        "waitTimeMillsInLitePullQueue",
        "waitTimeMillsInHeartbeatQueue",
        "waitTimeMillsInTransactionQueue",
        "waitTimeMillsInAdminBrokerQueue",
        # Delay and transactions
        "messageDelayLevel",
        "flushDelayOffsetInterval",
        "delayOffsetUpdateVersionStep",
        "timerWheelEnable",
        "timerPrecisionMs",
        "timerMaxDelaySec",
        "timerRollWindowSlot",
        "timerFlushIntervalMs",
        "timerCongestNumEachSlot",
        "timerStopEnqueue",
        "mappedFileSizeTimerLog",
        "appendTopicForTimerDeleteKey",
        "recallMessageEnable",
        "allowRecallWhenBrokerNotWriteable",
        "rejectTransactionMessage",
        "transactionTimeOut",
        "transactionCheckMax",
        "transactionCheckInterval",
        "transactionOpMsgMaxSize",
        "transactionMetricFlushInterval",
        # Registration
        "registerNameServerPeriod",
        "registerBrokerTimeoutMills",
        "enableSplitMetadata",
        "splitMetadataSize",
        "flushConsumerOffsetInterval",
        "consumerOffsetUpdateVersionStep",
        "channelExpiredTimeout",
        "notifyConsumerIdsChangedEnable",
        "useServerSideResetOffset",
        # Users and access control
        "authenticationEnabled",
        "authenticationWhitelist",
        "authorizationEnabled",
        "authorizationWhitelist",
        "initAuthenticationUser",
        "innerClientAuthenticationCredentials",
        # TLS
        "useTLS",
        *TLS_NOTES,
    )
)

HONOURED_NAMESRV = frozenset(
    (
        "listenPort",
        "bindAddress",
        "bindAddresses",
        "rocketmqHome",
        "kvConfigPath",
        "configStorePath",
        "scanNotActiveBrokerInterval",
        "orderMessageEnable",
        "returnOrderTopicConfigToBroker",
        "deleteTopicWithBrokerRegistration",
        "enableAllTopicList",
        "enableTopicList",
        "registrationNetworks",
        "serverChannelMaxIdleTimeSeconds",
        "serverSocketBacklog",
        *TLS_NOTES,
    )
)

_SEVERAL = "addresses to listen on with ; between, where bindAddress can name one only; wins over it"

# Keys of this engine alone, beside Apache's, with what they do; Apache's programs drop them without a word.
OWN: Mapping[Kind, Mapping[str, str]] = {
    Kind.BROKER: {
        "bindAddresses": _SEVERAL,
        "haPeers": "addresses and networks that may replicate besides the registered slaves of the pair, ; between",
        **TLS_NOTES,
    },
    Kind.NAMESRV: {
        "bindAddresses": _SEVERAL,
        "registrationNetworks": "addresses and networks from which brokers may register and routes may be changed "
        "(103, 104, 205, 318, 327), with ; between",
        **TLS_NOTES,
    },
}
OWN_KEYS: Mapping[Kind, Tuple[Key, ...]] = {
    kind: tuple(
        Key(name, ("python",), "boolean" if name in _TLS_BOOLEANS else "String", _OWN_DEFAULTS.get(name, ""))
        for name in notes
    )
    for kind, notes in OWN.items()
}

_OTHER_STORE = (
    "it keeps messages in other files than the commit log and consume queues that this engine reads and writes"
)
_OTHER_CONFIG = "it keeps topics, groups and offsets in other files than the JSON that this engine reads and writes"
_ELECTION = "masters are not elected here; the four modes have fixed roles"
_ACL_1 = (
    "RocketMQ has had no ACL 1.0 since 5.3.3, so it would protect nothing; AUTH 2.0 does: authenticationEnabled, "
    "authorizationEnabled, initAuthenticationUser, innerClientAuthenticationCredentials"
)
_AUTH_CLASS = "it names a Java class, and users are kept and checked in one way here"
_AUTH = "org.apache.rocketmq.auth."
_ACTING = "no slave acts as a master here"
_CLOSED = ("false",)

REFUSED_BROKER: Mapping[str, Refusal] = {
    "storeType": Refusal(("default",), _OTHER_STORE),
    "messageStorePlugIn": Refusal(("",), "plug-ins are Java classes"),
    "enableConsumeQueueExt": Refusal(_CLOSED, _OTHER_STORE),
    "enableLmq": Refusal(_CLOSED, _OTHER_STORE),
    "enableMultiDispatch": Refusal(_CLOSED, _OTHER_STORE),
    "rocksdbCQDoubleWriteEnable": Refusal(_CLOSED, _OTHER_STORE),
    "timerRocksDBEnable": Refusal(_CLOSED, _OTHER_STORE),
    "transRocksDBEnable": Refusal(_CLOSED, _OTHER_STORE),
    "indexRocksDBEnable": Refusal(_CLOSED, _OTHER_STORE),
    "useSingleRocksDBForAllConfigs": Refusal(_CLOSED, _OTHER_CONFIG),
    "configManagerVersion": Refusal(("v1",), _OTHER_CONFIG),
    "popConsumerKVServiceEnable": Refusal(_CLOSED, _OTHER_STORE),
    "enableDLegerCommitLog": Refusal(_CLOSED, _ELECTION),
    "enableControllerMode": Refusal(_CLOSED, _ELECTION),
    "duplicationEnable": Refusal(_CLOSED, "the log has one writer, the master"),
    "enableSlaveActingMaster": Refusal(_CLOSED, _ACTING),
    "enableRemoteEscape": Refusal(_CLOSED, _ACTING),
    "allAckInSyncStateSet": Refusal(_CLOSED, "inSyncReplicas counts the nodes that a send waits for"),
    "enableAutoInSyncReplicas": Refusal(
        _CLOSED, "a send would be acknowledged by fewer nodes than inSyncReplicas says"
    ),
    "asyncLearner": Refusal(_CLOSED, _ELECTION),
    "aclEnable": Refusal(_CLOSED, _ACL_1),
    **{
        f"{half}{part}": Refusal(("", "null", *(f"{_AUTH}{half}.{name}".lower() for name in names)), _AUTH_CLASS)
        for half, title in (("authentication", "Authentication"), ("authorization", "Authorization"))
        for part, names in (
            ("Provider", (f"provider.Default{title}Provider",)),
            ("MetadataProvider", (f"provider.Local{title}MetadataProvider",)),
            ("Strategy", (f"strategy.Stateless{title}Strategy", f"strategy.Stateful{title}Strategy")),
        )
    },
    "fetchNamesrvAddrByAddressServer": Refusal(_CLOSED, "name servers are listed in namesrvAddr"),
    "fetchNameSrvAddrByDnsLookup": Refusal(_CLOSED, "name servers are listed in namesrvAddr"),
}

REFUSED_NAMESRV: Mapping[str, Refusal] = {
    "enableControllerInNamesrv": Refusal(_CLOSED, _ELECTION),
    "supportActingMaster": Refusal(_CLOSED, _ACTING),
    "clusterTest": Refusal(_CLOSED, "routes are not fetched from another environment's name servers"),
    "useTLS": Refusal(_CLOSED, "a name server calls nobody; tls.server.mode encrypts what comes in"),
}

_HONOURED = {Kind.BROKER: HONOURED_BROKER, Kind.NAMESRV: HONOURED_NAMESRV}
REFUSED: Mapping[Kind, Mapping[str, Refusal]] = {Kind.BROKER: REFUSED_BROKER, Kind.NAMESRV: REFUSED_NAMESRV}


def use_of(name: str, kind: Kind) -> Use:
    """The class of a key that is known to be one of that kind's; REFUSED means: some of its values are."""
    if name in REFUSED[kind]:
        return Use.REFUSED
    return Use.HONOURED if name in _HONOURED[kind] else Use.ACCEPTED


def refusal(name: str, value: str, kind: Kind) -> str:
    """Why this value is refused, or an empty string."""
    entry = REFUSED[kind].get(name)
    if entry is None or value.lower() in entry.allowed:
        return ""
    return entry.why
