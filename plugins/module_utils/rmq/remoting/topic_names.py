# SPDX-License-Identifier: Apache-2.0
"""Names of topics and groups that mean something, and which names are legal (Apache's TopicValidator and MixAll).

A name becomes a directory in the store, so the check here is the first of two walls between the wire and the disk.
"""

from __future__ import annotations

import re
from typing import Optional

RETRY_GROUP_TOPIC_PREFIX = "%RETRY%"
DLQ_GROUP_TOPIC_PREFIX = "%DLQ%"
SYSTEM_TOPIC_PREFIX = "rmq_sys_"
REPLY_TOPIC_POSTFIX = "REPLY_TOPIC"
SYSTEM_GROUP_PREFIX = "CID_RMQ_SYS_"

AUTO_CREATE_TOPIC_KEY_TOPIC = "TBW102"
SCHEDULE_TOPIC = "SCHEDULE_TOPIC_XXXX"
BENCHMARK_TOPIC = "BenchmarkTest"
TRANS_HALF_TOPIC = "RMQ_SYS_TRANS_HALF_TOPIC"
TRANS_OP_HALF_TOPIC = "RMQ_SYS_TRANS_OP_HALF_TOPIC"
ROCKSDB_TRANS_HALF_TOPIC = "RMQ_SYS_ROCKSDB_TRANS_HALF_TOPIC"
ROCKSDB_TRANS_OP_HALF_TOPIC = "RMQ_SYS_ROCKSDB_TRANS_OP_HALF_TOPIC"
TRANS_CHECK_MAX_TIME_TOPIC = "TRANS_CHECK_MAX_TIME_TOPIC"
TRACE_TOPIC = "RMQ_SYS_TRACE_TOPIC"
SELF_TEST_TOPIC = "SELF_TEST_TOPIC"
OFFSET_MOVED_EVENT_TOPIC = "OFFSET_MOVED_EVENT"
TIMER_TOPIC = "rmq_sys_wheel_timer"
ROCKSDB_OFFSET_TOPIC = "CHECKPOINT_TOPIC"

SYSTEM_TOPICS = frozenset(
    {
        AUTO_CREATE_TOPIC_KEY_TOPIC,
        SCHEDULE_TOPIC,
        BENCHMARK_TOPIC,
        TRANS_HALF_TOPIC,
        TRANS_OP_HALF_TOPIC,
        TRANS_CHECK_MAX_TIME_TOPIC,
        TRACE_TOPIC,
        SELF_TEST_TOPIC,
        OFFSET_MOVED_EVENT_TOPIC,
        ROCKSDB_OFFSET_TOPIC,
    }
)

# A client may not send to these; the broker writes them itself.
NOT_ALLOWED_SEND_TOPICS = frozenset(
    {
        SCHEDULE_TOPIC,
        TRANS_HALF_TOPIC,
        TRANS_OP_HALF_TOPIC,
        TRANS_CHECK_MAX_TIME_TOPIC,
        SELF_TEST_TOPIC,
        OFFSET_MOVED_EVENT_TOPIC,
        # Apache lets clients write here, and with that into any topic: a record names its own REAL_TOPIC.
        TIMER_TOPIC,
    }
)

# Groups that exist on every fresh broker (SubscriptionGroupManager) and may not be reset or throttled.
TOOLS_CONSUMER_GROUP = "TOOLS_CONSUMER"
SELF_TEST_CONSUMER_GROUP = "SELF_TEST_C_GROUP"
TRANS_CONSUMER_GROUP = "CID_RMQ_SYS_TRANS"
CLIENT_INNER_PRODUCER_GROUP = "CLIENT_INNER_PRODUCER"
REVIVE_GROUP = "CID_RMQ_SYS_REVIVE_GROUP"
PREDEFINED_GROUPS = (
    TOOLS_CONSUMER_GROUP,
    "FILTERSRV_CONSUMER",
    SELF_TEST_CONSUMER_GROUP,
    "CID_ONS-HTTP-PROXY",
    "CID_ONSAPI_PULL",
    "CID_ONSAPI_PERMISSION",
    "CID_ONSAPI_OWNER",
    TRANS_CONSUMER_GROUP,
)

# 127 is what one length byte of a version 1 commit log record can hold; retry and dead letter topics get a prefix.
TOPIC_MAX_LENGTH = 127
RETRY_OR_DLQ_TOPIC_MAX_LENGTH = 255
GROUP_MAX_LENGTH = 120

_LEGAL_TEXT = "^[%|a-zA-Z0-9_-]+$"
_LEGAL = re.compile(r"[%|a-zA-Z0-9_-]+\Z")


def check_topic(name: str) -> Optional[str]:
    """None when a topic may be called so, else the remark of the answer (response code INVALID_PARAMETER)."""
    if not name.strip():
        return "The specified topic is blank."
    if _LEGAL.match(name) is None:
        return "The specified topic: %s, contains illegal characters, allowing only %s" % (name, _LEGAL_TEXT)
    if is_retry_topic(name) or is_dlq_topic(name):
        if len(name) > RETRY_OR_DLQ_TOPIC_MAX_LENGTH:
            return "The specified topic is DLQ or Retry topic: %s, and it's longer than topic max length: %d" % (
                name,
                RETRY_OR_DLQ_TOPIC_MAX_LENGTH,
            )
    elif len(name) > TOPIC_MAX_LENGTH:
        return "The specified topic: %s, is longer than topic max length: %d" % (name, TOPIC_MAX_LENGTH)
    return None


def check_group(name: str) -> Optional[str]:
    """None when a group may be called so, else the remark of the answer (response code INVALID_PARAMETER)."""
    if not name.strip():
        return "The specified group is blank."
    if _LEGAL.match(name) is None:
        return "The specified group: %s, contains illegal characters, allowing only %s" % (name, _LEGAL_TEXT)
    if len(name) > GROUP_MAX_LENGTH:
        return "The specified group: %s, is longer than group max length: %d" % (name, GROUP_MAX_LENGTH)
    return None


def is_system_topic(name: str) -> bool:
    return name in SYSTEM_TOPICS or name.startswith(SYSTEM_TOPIC_PREFIX)


def is_retry_topic(name: str) -> bool:
    return name.startswith(RETRY_GROUP_TOPIC_PREFIX)


def is_dlq_topic(name: str) -> bool:
    return name.startswith(DLQ_GROUP_TOPIC_PREFIX)


def strip_retry_and_dlq(name: str) -> str:
    """The group of a retry or dead letter topic; every other name as it is."""
    for prefix in (RETRY_GROUP_TOPIC_PREFIX, DLQ_GROUP_TOPIC_PREFIX):
        if name.startswith(prefix):
            return name[len(prefix) :]
    return name


def retry_topic(group: str) -> str:
    return RETRY_GROUP_TOPIC_PREFIX + group


def dlq_topic(group: str) -> str:
    return DLQ_GROUP_TOPIC_PREFIX + group


def reply_topic(cluster: str) -> str:
    return "%s_%s" % (cluster, REPLY_TOPIC_POSTFIX)


def sync_broker_member_topic(broker: str) -> str:
    return SYSTEM_TOPIC_PREFIX + "SYNC_BROKER_MEMBER_" + broker


def revive_topic(cluster: str) -> str:
    return SYSTEM_TOPIC_PREFIX + "REVIVE_LOG_" + cluster


def pop_retry_topic_v1(topic: str, group: str) -> str:
    """Where messages that a POP consumer did not acknowledge come again; two pairs of names can give one topic."""
    return "%s%s_%s" % (RETRY_GROUP_TOPIC_PREFIX, group, topic)


def pop_retry_topic_v2(topic: str, group: str) -> str:
    """The same with enableRetryTopicV2: no legal name holds the separator."""
    return "%s%s+%s" % (RETRY_GROUP_TOPIC_PREFIX, group, topic)


def is_pop_retry_topic_v2(name: str) -> bool:
    return is_retry_topic(name) and "+" in name


def pop_normal_topic(name: str, group: str) -> str:
    """The topic that a group's POP retry topic of either version belongs to; any other name is its own."""
    topic = name[len(RETRY_GROUP_TOPIC_PREFIX) + len(group) + 1 :]
    return topic if name in (pop_retry_topic_v1(topic, group), pop_retry_topic_v2(topic, group)) else name
