# SPDX-License-Identifier: Apache-2.0
"""Bodies of requests and answers, named as Apache names them."""

from __future__ import annotations

from .auth import (
    AclInfo,
    PolicyEntryInfo,
    PolicyInfo,
    UserInfo,
)
from .broker_info import (
    HAClientRuntimeInfo,
    HAConnectionRuntimeInfo,
    HARuntimeInfo,
    KVTable,
)
from .broker_stats import (
    BrokerStatsData,
    BrokerStatsItem,
    ConsumeStatsList,
)
from .consume_queue import (
    ConsumeQueueData,
    QueryConsumeQueueResponseBody,
)
from .consume_stats import (
    ConsumerOffsetSerializeWrapper,
    ConsumeStats,
    DelayOffsetSerializeWrapper,
    OffsetWrapper,
    TopicOffset,
    TopicStatsTable,
)
from .consumer_filter import (
    BloomFilterData,
    ConsumerFilterData,
    ConsumerFilterTable,
    FilterDataMapByTopic,
)
from .data_version import (
    DataVersion,
)
from .heartbeat import (
    EXPRESSION_TAG,
    SUBSCRIBE_ALL,
    Connection,
    ConsumerConnection,
    ConsumerData,
    GetConsumerListByGroupResponseBody,
    HeartbeatData,
    ProducerConnection,
    ProducerData,
    SubscriptionData,
)
from .lock import (
    LockBatchRequestBody,
    LockBatchResponseBody,
)
from .message_queue import (
    MessageQueue,
)
from .offset_admin import (
    REQUEST_MODES,
    GetConsumerStatusBody,
    GroupForbidden,
    MessageQueueForC,
    MessageRequestModeSerializeWrapper,
    QueryConsumeTimeSpanBody,
    QueryCorrectionOffsetBody,
    QuerySubscriptionResponseBody,
    QueueTimeSpan,
    ResetOffsetBody,
    ResetOffsetBodyForC,
    SetMessageRequestModeRequestBody,
)
from .pop import (
    AckMsg,
    BatchAck,
    BatchAckMessageRequestBody,
    BatchAckMsg,
    MessageQueueAssignment,
    PopCheckPoint,
    QueryAssignmentRequestBody,
    QueryAssignmentResponseBody,
)
from .route import (
    MASTER_ID,
    BrokerData,
    ClusterInfo,
    QueueData,
    TopicRouteData,
)
from .subscription_group_config import (
    GroupList,
    SubscriptionGroupConfig,
    SubscriptionGroupList,
    SubscriptionGroupWrapper,
)
from .timer_metrics import TimerMetric, TimerMetricsSerializeWrapper
from .topic_config import (
    DEFAULT_QUEUE_NUMS,
    CreateTopicListRequestBody,
    RegisterBrokerBody,
    TopicConfig,
    TopicConfigAndMappingSerializeWrapper,
    TopicConfigSerializeWrapper,
    TopicList,
)
from .transaction_metrics import (
    TransactionMetric,
    TransactionMetricsSerializeWrapper,
)

__all__ = [
    "DEFAULT_QUEUE_NUMS",
    "EXPRESSION_TAG",
    "MASTER_ID",
    "REQUEST_MODES",
    "SUBSCRIBE_ALL",
    "AckMsg",
    "AclInfo",
    "BatchAck",
    "BatchAckMessageRequestBody",
    "BatchAckMsg",
    "BloomFilterData",
    "BrokerData",
    "BrokerStatsData",
    "BrokerStatsItem",
    "ClusterInfo",
    "Connection",
    "ConsumeQueueData",
    "ConsumeStats",
    "ConsumeStatsList",
    "ConsumerConnection",
    "ConsumerData",
    "ConsumerFilterData",
    "ConsumerFilterTable",
    "ConsumerOffsetSerializeWrapper",
    "CreateTopicListRequestBody",
    "DataVersion",
    "DelayOffsetSerializeWrapper",
    "FilterDataMapByTopic",
    "GetConsumerListByGroupResponseBody",
    "GetConsumerStatusBody",
    "GroupForbidden",
    "GroupList",
    "HAClientRuntimeInfo",
    "HAConnectionRuntimeInfo",
    "HARuntimeInfo",
    "HeartbeatData",
    "KVTable",
    "LockBatchRequestBody",
    "LockBatchResponseBody",
    "MessageQueue",
    "MessageQueueAssignment",
    "MessageQueueForC",
    "MessageRequestModeSerializeWrapper",
    "OffsetWrapper",
    "PolicyEntryInfo",
    "PolicyInfo",
    "PopCheckPoint",
    "ProducerConnection",
    "ProducerData",
    "QueryAssignmentRequestBody",
    "QueryAssignmentResponseBody",
    "QueryConsumeQueueResponseBody",
    "QueryConsumeTimeSpanBody",
    "QueryCorrectionOffsetBody",
    "QuerySubscriptionResponseBody",
    "QueueData",
    "QueueTimeSpan",
    "RegisterBrokerBody",
    "ResetOffsetBody",
    "ResetOffsetBodyForC",
    "SetMessageRequestModeRequestBody",
    "SubscriptionData",
    "SubscriptionGroupConfig",
    "SubscriptionGroupList",
    "SubscriptionGroupWrapper",
    "TimerMetric",
    "TimerMetricsSerializeWrapper",
    "TopicConfig",
    "TopicConfigAndMappingSerializeWrapper",
    "TopicConfigSerializeWrapper",
    "TopicList",
    "TopicOffset",
    "TopicRouteData",
    "TopicStatsTable",
    "TransactionMetric",
    "TransactionMetricsSerializeWrapper",
    "UserInfo",
]
