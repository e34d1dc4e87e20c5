# SPDX-License-Identifier: Apache-2.0
"""Bodies of requests and answers, named as Apache names them."""

from __future__ import annotations

from .broker_info import (
    HAClientRuntimeInfo,
    HAConnectionRuntimeInfo,
    HARuntimeInfo,
    KVTable,
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
    "SUBSCRIBE_ALL",
    "BloomFilterData",
    "BrokerData",
    "ClusterInfo",
    "Connection",
    "ConsumeQueueData",
    "ConsumeStats",
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
    "GroupList",
    "HAClientRuntimeInfo",
    "HAConnectionRuntimeInfo",
    "HARuntimeInfo",
    "HeartbeatData",
    "KVTable",
    "LockBatchRequestBody",
    "LockBatchResponseBody",
    "MessageQueue",
    "OffsetWrapper",
    "ProducerConnection",
    "ProducerData",
    "QueryConsumeQueueResponseBody",
    "QueueData",
    "RegisterBrokerBody",
    "SubscriptionData",
    "SubscriptionGroupConfig",
    "SubscriptionGroupList",
    "SubscriptionGroupWrapper",
    "TopicConfig",
    "TopicConfigAndMappingSerializeWrapper",
    "TopicConfigSerializeWrapper",
    "TopicList",
    "TopicOffset",
    "TopicRouteData",
    "TopicStatsTable",
    "TransactionMetric",
    "TransactionMetricsSerializeWrapper",
]
