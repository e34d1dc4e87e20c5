# SPDX-License-Identifier: Apache-2.0
"""What values a key may have beyond its Java type: ranges, choices, forms.

Only keys for which another value breaks something are listed; the rest is limited by its type. Where Apache clamps a
value in silence (the three disk ratios; source: MessageStoreConfig, DefaultMessageStore), the range here is what it
really takes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Mapping, Pattern, Tuple

# A broker takes listenPort-2 and, unless set, listenPort+1; 0 would be "any port", which no client could be told.
BROKER_PORT_RANGE = (3, 65534)
PORT_RANGE = (1, 65535)

# A topic has 127 characters, and the broker's and the cluster's name are parts of topics
# (rmq_sys_SYNC_BROKER_MEMBER_<broker>, 27 more), so 100 is what is left.
NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]{0,99}", re.ASCII)

INTEGER_RANGES: Mapping[str, Tuple[int, int]] = {
    "int": (-(2**31), 2**31 - 1),
    "long": (-(2**63), 2**63 - 1),
}

_DAY_MS = 24 * 3600 * 1000
_GIB = 1024**3

RANGES: Mapping[str, Tuple[int, int]] = {
    "haListenPort": (0, 65535),  # 0: listenPort + 1
    "metricsPromExporterPort": PORT_RANGE,
    "brokerId": (0, 2**63 - 1),
    "brokerPermission": (0, 15),
    # 4 KiB is a page; Apache maps a file with 32-bit positions.
    "mappedFileSizeCommitLog": (4096, 2**31 - 1),
    "mappedFileSizeConsumeQueue": (20, 2**31 - 20),
    "mappedFileSizeTimerLog": (4096, 2**31 - 1),
    "maxHashSlotNum": (1, 2**29),
    "maxIndexNum": (2, 10**8),
    # The whole record has to fit a frame of 16 MiB on its way to a consumer.
    "maxMessageSize": (1, 16 * 1024 * 1024 - 65536),
    "maxTopicLength": (1, 127),
    "fileReservedTime": (0, 24 * 3650),
    "diskMaxUsedSpaceRatio": (10, 95),
    "diskSpaceCleanForciblyRatio": (30, 85),
    "diskSpaceWarningLevelRatio": (35, 90),
    "deleteFileBatchMax": (1, 10000),
    "cleanResourceInterval": (1, _DAY_MS),
    "flushIntervalCommitLog": (1, _DAY_MS),
    "flushIntervalConsumeQueue": (1, _DAY_MS),
    "flushCommitLogLeastPages": (0, 2**20),
    "flushCommitLogThoroughInterval": (1, _DAY_MS),
    "flushConsumeQueueThoroughInterval": (100, _DAY_MS),
    "syncFlushTimeout": (1, _DAY_MS),
    "slaveTimeout": (1, _DAY_MS),
    "haSendHeartbeatInterval": (1, _DAY_MS),
    "haHousekeepingInterval": (1, _DAY_MS),
    "haTransferBatchSize": (1, _GIB),
    "haMaxGapNotInSync": (0, 2**31 - 1),
    "inSyncReplicas": (1, 64),
    "minInSyncReplicas": (1, 64),
    "totalReplicas": (1, 64),
    "accessMessageInMemoryMaxRatio": (0, 100),
    "defaultTopicQueueNums": (1, 1024),
    "registerNameServerPeriod": (1, _DAY_MS),
    "registerBrokerTimeoutMills": (1, _DAY_MS),
    "brokerHeartbeatInterval": (1, _DAY_MS),
    "updateNameServerAddrPeriod": (1, _DAY_MS),
    "flushConsumerOffsetInterval": (1, _DAY_MS),
    "flushDelayOffsetInterval": (1, _DAY_MS),
    "scanNotActiveBrokerInterval": (1, _DAY_MS),
    "serverChannelMaxIdleTimeSeconds": (1, 24 * 3600),
    "serverSocketBacklog": (1, 65535),
    "waitTimeMillsInSendQueue": (1, _DAY_MS),
    "waitTimeMillsInPullQueue": (1, _DAY_MS),
    "waitTimeMillsInLitePullQueue": (1, _DAY_MS),
    "waitTimeMillsInHeartbeatQueue": (1, _DAY_MS),
    "waitTimeMillsInTransactionQueue": (1, _DAY_MS),
    "waitTimeMillsInAdminBrokerQueue": (1, _DAY_MS),
    "queryThreadPoolQueueCapacity": (1, 2**31 - 1),
    "osPageCacheBusyTimeOutMills": (1, _DAY_MS),
    "sendThreadPoolQueueCapacity": (1, 2**31 - 1),
    "pullThreadPoolQueueCapacity": (1, 2**31 - 1),
    "maxTransferBytesOnMessageInMemory": (1, 2**31 - 1),
    "maxTransferCountOnMessageInMemory": (1, 2**31 - 1),
    "maxTransferBytesOnMessageInDisk": (1, 2**31 - 1),
    "maxTransferCountOnMessageInDisk": (1, 2**31 - 1),
    "transactionTimeOut": (1, _DAY_MS),
    "transactionCheckMax": (1, 2**31 - 1),
    "transactionCheckInterval": (1, _DAY_MS),
    "transactionMetricFlushInterval": (1, _DAY_MS),
    # The body of one message: it has to stay below maxMessageSize.
    "transactionOpMsgMaxSize": (1, 2**20),
    "reviveQueueNum": (1, 64),
    "reviveInterval": (1, _DAY_MS),
    "popFromRetryProbability": (0, 100),
    "popFromRetryProbabilityForPriority": (0, 100),
    "popPollingSize": (0, 2**31 - 1),
    "popPollingMapSize": (1, 2**31 - 1),
    "maxPopPollingSize": (0, 2**31 - 1),
    "popCkMaxBufferSize": (1, 2**31 - 1),
    "timerMaxDelaySec": (1, 2**31 - 1),
    "timerPrecisionMs": (1, 60000),
}

MASTER_ROLES = ("ASYNC_MASTER", "SYNC_MASTER")

CHOICES: Mapping[str, Tuple[str, ...]] = {
    "brokerRole": (*MASTER_ROLES, "SLAVE"),
    "flushDiskType": ("ASYNC_FLUSH", "SYNC_FLUSH"),
    "defaultMessageRequestMode": ("PULL", "POP"),
    "storeType": ("default", "defaultRocksDB"),
    "tls.server.mode": ("disabled", "permissive", "enforcing"),
    "tls.server.need.client.auth": ("none", "optional", "require"),
    # Apache takes the name and the number (source: BrokerConfig has a setter for each).
    "metricsExporterType": ("DISABLE", "OTLP_GRPC", "PROM", "LOG", "0", "1", "2", "3"),
}


# Their values are shown to nobody: not in a fault, not in a log, not in an answer.
SECRET_KEYS = frozenset(
    (
        "initAuthenticationUser",
        "innerClientAuthenticationCredentials",
        "tls.server.keyPassword",
        "tls.client.keyPassword",
    )
)


@dataclass(frozen=True)
class Form:
    """A form that a text value has, and how to say it."""

    pattern: Pattern[str]
    expected: str


_TLS_PATHS = ("certPath", "keyPath", "trustCertPath")
_PATH = Form(re.compile(r"/.+"), "an absolute path")
# Apache splits at the comma alone: a blank beside it would be part of a directory's name.
_PATHS = Form(
    re.compile(r"[^,\s](?:[^,]*[^,\s])?(?:,[^,\s](?:[^,]*[^,\s])?)*"),
    "directories with , between, no blanks around it",
)
_HOUR = r"(?:[01]?[0-9]|2[0-3])"

FORMS: Mapping[str, Form] = {
    "brokerName": Form(NAME, "1 to 100 of A-Z a-z 0-9 _ - ."),
    "brokerClusterName": Form(NAME, "1 to 100 of A-Z a-z 0-9 _ - ."),
    "deleteWhen": Form(re.compile(rf"{_HOUR}(?:;{_HOUR})*", re.ASCII), "hours of the day with ; between, such as 04"),
    # Apache splits at single blanks and does not start when one level cannot be read (source: ScheduleMessageService).
    "messageDelayLevel": Form(
        re.compile(r"[0-9]{1,9}[smhd](?: [0-9]{1,9}[smhd])*", re.ASCII),
        "numbers with s, m, h or d, one blank between, such as 1s 5s 10s",
    ),
    "storePathCommitLog": _PATHS,
    "readOnlyCommitLogStorePaths": _PATHS,
    "tls.config.file": _PATH,
    **{f"tls.{side}.{name}": _PATH for side in ("server", "client") for name in _TLS_PATHS},
}
