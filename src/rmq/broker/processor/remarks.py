# SPDX-License-Identifier: Apache-2.0
"""Remarks that several processors give, in Apache's words: clients and tools show them, some look into them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ...remoting.bodies import TopicConfig
    from ...rpc.channel import Channel

_FAQ = "\nSee https://rocketmq.apache.org/docs/bestPractice/06FAQ for further details."

#: Apache's default: a processor that sets a code only, or none at all, answers with it.
NO_RESPONSE_CODE = "not set any response code"

REJECT_REQUEST = "[REJECTREQUEST]system busy, start flow control for a while"


def topic_not_exist_for_send(topic: str) -> str:
    return f"topic[{topic}] not exist, apply first please!{_FAQ}"


def topic_not_exist_for_pull(topic: str) -> str:
    return f"topic[{topic}] not exist, apply first please! {_FAQ}"


def group_not_exist(group: str) -> str:
    return f"subscription group not exist, {group} {_FAQ}"


def group_does_not_exist_for_pull(group: str) -> str:
    return f"subscription group [{group}] does not exist, {_FAQ}"


def group_info_not_exist() -> str:
    return f"the consumer's group info not exist{_FAQ}"


def subscription_not_exist() -> str:
    return f"the consumer's subscription not exist{_FAQ}"


def pull_consumer_rejected() -> str:
    return f"the consumer's group info not exist, or the pull consumer is rejected by server.{_FAQ}"


def no_filter_by(expression_type: object) -> str:
    return f"The broker does not support consumer to filter message by {expression_type}"


def illegal_queue(queue_id: int, topic: TopicConfig, channel: Channel) -> str:
    return (
        f"queueId[{queue_id}] is illegal, topic:[{topic.topic_name}] "
        f"topicConfig.readQueueNums:[{topic.read_queue_nums}] consumer:[/{channel.remote_address}]"
    )
