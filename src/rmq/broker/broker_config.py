# SPDX-License-Identifier: Apache-2.0
"""Everything the broker itself reads from its settings, with Apache's names, types and defaults.

Answers to `org.apache.rocketmq.common.BrokerConfig` and those parts of `MessageStoreConfig` that a processor needs;
what only the store needs is in `store.config`. Defaults are Apache 5.4.0's; settings that differ for a mode come from
its files.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from enum import Enum
from typing import TYPE_CHECKING, Any

from ..store.config import BrokerRole
from ..topology.limits import SECRET_KEYS

if TYPE_CHECKING:
    from collections.abc import Mapping

#: The broker with this id takes writes; every other id is a slave of the same brokerName.
MASTER_ID = 0

SettingValue = str | int | float | bool


def _key(name: str, default: Any) -> Any:
    """A field that is read from the setting `name`."""
    return field(default=default, metadata={"key": name})


def _secret_key(name: str) -> Any:
    """A field that nobody is shown."""
    return field(default="", repr=False, metadata={"key": name})


def _dynamic_key(name: str, default: Any) -> Any:
    """A field that 25 may change while the broker runs: who reads it looks at it anew each time."""
    return field(default=default, metadata={"key": name, "dynamic": True})


@dataclass
class BrokerConfig:
    """Build it with `from_settings`. Only `change` changes it, on the loop, and only what is marked as dynamic; so
    everything else may be read once and kept."""

    # Identity and addresses.
    broker_cluster_name: str = _key("brokerClusterName", "DefaultCluster")
    broker_name: str = _key("brokerName", "broker-a")
    broker_id: int = _key("brokerId", MASTER_ID)
    broker_role: BrokerRole = field(default=BrokerRole.ASYNC_MASTER, metadata={"key": "brokerRole"})
    broker_ip1: str = _key("brokerIP1", "127.0.0.1")
    broker_ip2: str = _key("brokerIP2", "")
    namesrv_addr: str = _dynamic_key("namesrvAddr", "")
    bind_address: str = _key("bindAddress", "0.0.0.0")
    bind_addresses: str = _key("bindAddresses", "")
    ha_peers: str = _key("haPeers", "")
    listen_port: int = _key("listenPort", 10911)
    ha_listen_port: int = _key("haListenPort", 0)
    ha_master_address: str = _key("haMasterAddress", "")
    store_path_root_dir: str = _key("storePathRootDir", "")
    region_id: str = _key("regionId", "DefaultRegion")
    trace_on: bool = _key("traceOn", True)

    # Permissions and what is made without being asked for.
    broker_permission: int = _dynamic_key("brokerPermission", 6)
    auto_create_topic_enable: bool = _dynamic_key("autoCreateTopicEnable", True)
    auto_create_subscription_group: bool = _dynamic_key("autoCreateSubscriptionGroup", True)
    enable_create_sys_group: bool = _dynamic_key("enableCreateSysGroup", True)
    default_topic_queue_nums: int = _key("defaultTopicQueueNums", 8)
    cluster_topic_enable: bool = _key("clusterTopicEnable", True)
    broker_topic_enable: bool = _key("brokerTopicEnable", True)
    trace_topic_enable: bool = _key("traceTopicEnable", False)
    msg_trace_topic_name: str = _key("msgTraceTopicName", "RMQ_SYS_TRACE_TOPIC")
    revive_queue_num: int = _key("reviveQueueNum", 8)
    timer_wheel_enable: bool = _key("timerWheelEnable", True)
    validate_system_topic_when_update_topic: bool = _dynamic_key("validateSystemTopicWhenUpdateTopic", True)
    enable_mixed_message_type: bool = _dynamic_key("enableMixedMessageType", False)

    # Users and access control.
    authentication_enabled: bool = _key("authenticationEnabled", False)
    authorization_enabled: bool = _key("authorizationEnabled", False)
    authentication_whitelist: str = _key("authenticationWhitelist", "")
    authorization_whitelist: str = _key("authorizationWhitelist", "")
    init_authentication_user: str = _secret_key("initAuthenticationUser")
    inner_client_authentication_credentials: str = _secret_key("innerClientAuthenticationCredentials")

    # Sending.
    max_message_size_bytes: int = _key("maxMessageSize", 4194304)
    start_accept_send_request_time_stamp_ms: int = _dynamic_key("startAcceptSendRequestTimeStamp", 0)
    message_delay_level: str = _key("messageDelayLevel", "1s 5s 10s 30s 1m 2m 3m 4m 5m 6m 7m 8m 9m 10m 20m 30m 1h 2h")
    flush_delay_offset_interval_ms: int = _key("flushDelayOffsetInterval", 10000)
    delay_offset_update_version_step: int = _key("delayOffsetUpdateVersionStep", 200)

    # Flow control.
    broker_fast_failure_enable: bool = _dynamic_key("brokerFastFailureEnable", True)
    send_queue_capacity: int = _dynamic_key("sendThreadPoolQueueCapacity", 10000)
    query_queue_capacity: int = _dynamic_key("queryThreadPoolQueueCapacity", 20000)
    os_page_cache_busy_timeout_ms: int = _dynamic_key("osPageCacheBusyTimeOutMills", 1000)
    wait_time_in_send_queue_ms: int = _dynamic_key("waitTimeMillsInSendQueue", 200)
    wait_time_in_pull_queue_ms: int = _dynamic_key("waitTimeMillsInPullQueue", 5000)
    wait_time_in_lite_pull_queue_ms: int = _dynamic_key("waitTimeMillsInLitePullQueue", 5000)
    wait_time_in_heartbeat_queue_ms: int = _dynamic_key("waitTimeMillsInHeartbeatQueue", 31000)
    wait_time_in_transaction_queue_ms: int = _dynamic_key("waitTimeMillsInTransactionQueue", 3000)
    wait_time_in_admin_queue_ms: int = _dynamic_key("waitTimeMillsInAdminBrokerQueue", 5000)
    # Timer messages.
    timer_max_delay_sec: int = _dynamic_key("timerMaxDelaySec", 259200)
    timer_congest_num_each_slot: int = _dynamic_key("timerCongestNumEachSlot", 2147483647)
    append_topic_for_timer_delete_key: bool = _key("appendTopicForTimerDeleteKey", False)
    recall_message_enable: bool = _dynamic_key("recallMessageEnable", False)
    allow_recall_when_broker_not_writeable: bool = _dynamic_key("allowRecallWhenBrokerNotWriteable", True)

    # Querying and request-reply.
    default_query_max_num: int = _key("defaultQueryMaxNum", 32)
    store_reply_message_enable: bool = _key("storeReplyMessageEnable", True)

    # Transactions.
    reject_transaction_message: bool = _dynamic_key("rejectTransactionMessage", False)
    transaction_time_out_ms: int = _key("transactionTimeOut", 6000)
    transaction_check_max: int = _key("transactionCheckMax", 15)
    transaction_check_interval_ms: int = _key("transactionCheckInterval", 30000)
    transaction_op_msg_max_size_bytes: int = _key("transactionOpMsgMaxSize", 4096)
    transaction_metric_flush_interval_ms: int = _key("transactionMetricFlushInterval", 10000)

    # Pulling.
    slave_read_enable: bool = _dynamic_key("slaveReadEnable", False)
    long_polling_enable: bool = _key("longPollingEnable", True)
    short_polling_time_ms: int = _key("shortPollingTimeMills", 1000)
    lite_pull_message_enable: bool = _dynamic_key("litePullMessageEnable", True)
    reject_pull_consumer_enable: bool = _dynamic_key("rejectPullConsumerEnable", False)
    enable_property_filter: bool = _key("enablePropertyFilter", False)
    filter_data_clean_time_span_ms: int = _key("filterDataCleanTimeSpan", 24 * 3600 * 1000)
    offset_check_in_slave: bool = _dynamic_key("offsetCheckInSlave", False)

    # POP and queues that the broker assigns.
    server_load_balancer_enable: bool = _dynamic_key("serverLoadBalancerEnable", True)
    default_message_request_mode: str = _dynamic_key("defaultMessageRequestMode", "PULL")
    default_pop_share_queue_num: int = _dynamic_key("defaultPopShareQueueNum", -1)
    enable_retry_topic_v2: bool = _dynamic_key("enableRetryTopicV2", False)
    retrieve_message_from_pop_retry_topic_v1: bool = _dynamic_key("retrieveMessageFromPopRetryTopicV1", True)
    pop_from_retry_probability: int = _dynamic_key("popFromRetryProbability", 20)
    pop_from_retry_probability_for_priority: int = _dynamic_key("popFromRetryProbabilityForPriority", 0)
    priority_order_asc: bool = _dynamic_key("priorityOrderAsc", True)
    pop_response_return_actual_retry_topic: bool = _dynamic_key("popResponseReturnActualRetryTopic", False)
    init_pop_offset_by_check_msg_in_mem: bool = _dynamic_key("initPopOffsetByCheckMsgInMem", True)
    pop_polling_size: int = _dynamic_key("popPollingSize", 1024)
    pop_polling_map_size: int = _dynamic_key("popPollingMapSize", 100000)
    max_pop_polling_size: int = _dynamic_key("maxPopPollingSize", 100000)
    pop_ck_max_buffer_size: int = _dynamic_key("popCkMaxBufferSize", 200000)
    revive_interval_ms: int = _key("reviveInterval", 1000)

    # Clients.
    notify_consumer_ids_changed_enable: bool = _dynamic_key("notifyConsumerIdsChangedEnable", True)
    channel_expired_timeout_ms: int = _key("channelExpiredTimeout", 120000)
    flush_consumer_offset_interval_ms: int = _key("flushConsumerOffsetInterval", 5000)
    consumer_offset_update_version_step: int = _key("consumerOffsetUpdateVersionStep", 500)

    use_server_side_reset_offset: bool = _dynamic_key("useServerSideResetOffset", True)

    # Registration and metadata.
    register_name_server_period_ms: int = _key("registerNameServerPeriod", 30000)
    register_broker_timeout_ms: int = _dynamic_key("registerBrokerTimeoutMills", 24000)
    enable_split_metadata: bool = _dynamic_key("enableSplitMetadata", True)
    split_metadata_size: int = _dynamic_key("splitMetadataSize", 2000)

    @classmethod
    def from_settings(cls, settings: Mapping[str, SettingValue]) -> BrokerConfig:
        """From checked settings (`topology.settings.Checked.values`); keys that are not read here are left alone.

        A master's id is 0 whatever the file says, as Apache forces it. An empty brokerIP2 means brokerIP1,
        haListenPort 0 means listenPort + 1. Raises ValueError for an unknown role or a slave without an id of its own.
        """
        values: dict[str, Any] = {
            item.name: settings[item.metadata["key"]] for item in fields(cls) if item.metadata["key"] in settings
        }
        role = BrokerRole(values.get("broker_role", BrokerRole.ASYNC_MASTER))
        values["broker_role"] = role
        if role is not BrokerRole.SLAVE:
            values["broker_id"] = MASTER_ID
        elif values.get("broker_id", MASTER_ID) <= MASTER_ID:
            raise ValueError("brokerId: a SLAVE needs an id above 0")
        config = cls(**values)
        values.setdefault("broker_ip2", "")
        values["broker_ip2"] = values["broker_ip2"] or config.broker_ip1
        values["ha_listen_port"] = config.ha_listen_port or config.listen_port + 1
        return cls(**values)

    def change(self, settings: Mapping[str, SettingValue]) -> None:
        """Take dynamic settings, checked; others are left alone."""
        for item in fields(self):
            if item.metadata.get("dynamic") and item.metadata["key"] in settings:
                setattr(self, item.name, settings[item.metadata["key"]])

    @property
    def is_slave(self) -> bool:
        return self.broker_role is BrokerRole.SLAVE

    @property
    def broker_addr(self) -> str:
        return f"{self.broker_ip1}:{self.listen_port}"

    @property
    def ha_server_addr(self) -> str:
        return f"{self.broker_ip2}:{self.ha_listen_port}"

    @property
    def fast_listen_port(self) -> int:
        """Java's VIP channel. Java slaves fetch topics there, so it is served although our own tools do not need it."""
        return self.listen_port - 2

    @property
    def listen_hosts(self) -> tuple[str, ...]:
        """Addresses to listen on: several in bindAddresses win over the one of bindAddress."""
        return _parts(self.bind_addresses) or (self.bind_address,)

    @property
    def name_servers(self) -> tuple[str, ...]:
        return _parts(self.namesrv_addr)

    def to_properties(self) -> dict[str, str]:
        """Setting -> value in Java's spelling, for GET_BROKER_CONFIG; show it by `without_secrets` alone."""
        return {item.metadata["key"]: java_text(getattr(self, item.name)) for item in fields(self)}


def _parts(text: str) -> tuple[str, ...]:
    return tuple(part for piece in text.split(";") if (part := piece.strip()))


def java_text(value: object) -> str:
    """A value as Java's properties have it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Enum):
        return str(value.value)
    return str(value)


def without_secrets(values: Mapping[str, str]) -> dict[str, str]:
    """Settings as they may be shown."""
    return {key: "********" if key in SECRET_KEYS and value else value for key, value in values.items()}


#: What the broker honours itself; the store's keys are in `store.config`.
HONOURED_KEYS: frozenset[str] = frozenset(item.metadata["key"] for item in fields(BrokerConfig))

#: Those that 25 changes at once.
DYNAMIC_KEYS: frozenset[str] = frozenset(
    item.metadata["key"] for item in fields(BrokerConfig) if item.metadata.get("dynamic")
)
