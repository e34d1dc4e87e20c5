# SPDX-License-Identifier: Apache-2.0
"""topicRoute, topicList, topicStatus, updateTopic, deleteTopic"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from ...client.errors import ResponseError
from ...remoting.bodies import MessageQueue, TopicConfig, TopicOffset
from ...remoting.codes import ResponseCode
from ...remoting.errors import RemotingError
from ...remoting.java_json import dumps_pretty
from ...remoting.perm import is_valid
from ...remoting.topic_names import DLQ_GROUP_TOPIC_PREFIX, RETRY_GROUP_TOPIC_PREFIX, check_topic
from .command import Command, CommandError, add_target, boolean, date_text, target_masters, whole_number

if TYPE_CHECKING:
    import argparse

    from ...remoting.bodies import ClusterInfo, TopicRouteData
    from .command import Context, Parser

_ROUTE_FORMAT = "%-45s %-32s %-50s %-10s %-11s %-5s"
_ROUTE_TITLES = ("#ClusterName", "#BrokerName", "#BrokerAddrs", "#ReadQueue", "#WriteQueue", "#Perm")
_LIST_HEAD = "%-20s  %-48s  %-48s"
_LIST_ROW = "%-20s  %-64s  %-64s"
_STATUS_FORMAT = "%-32s  %-4s  %-20s  %-20s    %s"

# Where the name servers keep how many queues of an ordered topic lie on which broker.
_ORDER_NAMESPACE = "ORDER_TOPIC_CONFIG"

# What updateTopic makes without -r and -w, and bits of topicSysFlag.
_DEFAULT_QUEUES = 8
_UNIT_FLAG = 1
_UNIT_SUB_FLAG = 2


def _route_options(parser: Parser) -> None:
    parser.add_argument("-t", "--topic", required=True, help="topic name")
    parser.add_argument("-l", "--list", action="store_true", help="Use list format to print data")


def _route(arguments: argparse.Namespace, context: Context) -> None:
    route = context.admin.topic_route(arguments.topic.strip())
    if arguments.list:
        _route_table(route, context)
    else:
        context.line(dumps_pretty(route.to_json_value()))


def _route_table(route: TopicRouteData, context: Context) -> None:
    queues = {queue.broker_name: queue for queue in route.queue_datas}
    context.line(_ROUTE_FORMAT % _ROUTE_TITLES)
    for broker in sorted(route.broker_datas, key=lambda broker: broker.broker_name):
        queue = queues[broker.broker_name]
        addresses = "{{{}}}".format(", ".join(f"{key}={value}" for key, value in sorted(broker.broker_addrs.items())))
        counts = (queue.read_queue_nums, queue.write_queue_nums, queue.perm)
        context.line(_ROUTE_FORMAT % (broker.cluster, broker.broker_name, addresses, *counts))
    context.line("-" * 158)
    reads = sum(queue.read_queue_nums for queue in queues.values())
    writes = sum(queue.write_queue_nums for queue in queues.values())
    context.line(_ROUTE_FORMAT % ("Total:", len(queues), "", reads, writes, ""))


def _list_options(parser: Parser) -> None:
    parser.add_argument("-c", "--clusterModel", action="store_true", help="with cluster and consumer groups")


def _list(arguments: argparse.Namespace, context: Context) -> None:
    topics = context.admin.topic_list()
    if not arguments.clusterModel:
        for topic in topics:
            context.line(topic)
        return
    info = context.admin.cluster_info()
    context.line(_LIST_HEAD % ("#Cluster Name", "#Topic", "#Consumer Group"))
    for topic in topics:
        if topic.startswith((RETRY_GROUP_TOPIC_PREFIX, DLQ_GROUP_TOPIC_PREFIX)):
            continue
        cluster, groups = _cluster_and_groups(topic, info, context)
        for group in groups or [""]:
            context.line(_LIST_ROW % (cluster[:20], topic[:64], group[:64]))


def _cluster_and_groups(topic: str, info: ClusterInfo, context: Context) -> tuple[str, list[str]]:
    try:
        route = context.admin.topic_route(topic)
    except ResponseError:
        # The name server keeps topics that no broker has any more for a while.
        return "", []
    names = {broker.broker_name for broker in route.broker_datas}
    cluster = next((name for name, brokers in info.cluster_addr_table.items() if names & set(brokers)), "")
    groups: set[str] = set()
    for broker in route.broker_datas:
        address = broker.select_address()
        if address is not None:
            # A list of all topics does not fail for one broker that is away.
            with contextlib.suppress(RemotingError):
                groups.update(context.admin.groups_of_topic(address, topic))
    return cluster, sorted(groups)


def _status_options(parser: Parser) -> None:
    parser.add_argument("-t", "--topic", required=True, help="topic name")
    parser.add_argument("-c", "--cluster", help="cluster name, or a topic whose brokers to ask")


def _status(arguments: argparse.Namespace, context: Context) -> None:
    topic = arguments.topic.strip()
    route = context.admin.topic_route(arguments.cluster.strip() if arguments.cluster else topic)
    offsets: dict[MessageQueue, TopicOffset] = {}
    put_tps = 0.0
    for broker in route.broker_datas:
        address = broker.select_address()
        if address is not None:
            stats = context.admin.topic_stats(address, topic)
            offsets.update(stats.offset_table)
            put_tps += stats.topic_put_tps
    context.line(_STATUS_FORMAT % ("#Broker Name", "#QID", "#Min Offset", "#Max Offset", "#Last Updated"))
    for queue in sorted(offsets, key=lambda queue: (queue.topic, queue.broker_name, queue.queue_id)):
        offset = offsets[queue]
        updated = date_text(offset.last_update_timestamp) if offset.last_update_timestamp > 0 else ""
        row = (queue.broker_name[:32], queue.queue_id, offset.min_offset, offset.max_offset, updated)
        context.line(_STATUS_FORMAT % row)
    context.line()
    context.line(f"Topic Put TPS: {put_tps}")


def _update_options(parser: Parser) -> None:
    add_target(parser, verb="create topic to")
    parser.add_argument("-t", "--topic", required=True, help="topic name")
    parser.add_argument("-a", "--attributes", default="", help="attribute(+a=b,+c=d,-e)")
    parser.add_argument("-r", "--readQueueNums", type=whole_number, default=_DEFAULT_QUEUES, help="set read queue nums")
    parser.add_argument("-w", "--writeQueueNums", type=whole_number, default=_DEFAULT_QUEUES, help="write queue nums")
    parser.add_argument("-p", "--perm", type=whole_number, default=6, help="2: write, 4: read, 6: both")
    parser.add_argument("-o", "--order", type=boolean, default=False, help="set topic's order(true|false)")
    parser.add_argument("-u", "--unit", type=boolean, default=False, help="is unit topic (true|false)")
    parser.add_argument("-s", "--hasUnitSub", type=boolean, default=False, help="has unit sub (true|false)")


def _update(arguments: argparse.Namespace, context: Context) -> None:
    topic = _topic_config(arguments)
    for address in target_masters(arguments, context):
        context.admin.create_topic(address, topic)
        context.line(f"create topic to {address} success.")
    if topic.order:
        _order(arguments, topic, context)
    context.line(str(topic))


def _topic_config(arguments: argparse.Namespace) -> TopicConfig:
    name = arguments.topic.strip()
    fault = check_topic(name)
    if fault is not None:
        raise CommandError(fault)
    if not is_valid(arguments.perm):
        raise CommandError(f"perm {arguments.perm} is not one of 2 (write), 4 (read), 6 (both)")
    return TopicConfig(
        attributes=_attributes(arguments.attributes),
        order=arguments.order,
        perm=arguments.perm,
        read_queue_nums=arguments.readQueueNums,
        topic_name=name,
        topic_sys_flag=(_UNIT_FLAG if arguments.unit else 0) | (_UNIT_SUB_FLAG if arguments.hasUnitSub else 0),
        write_queue_nums=arguments.writeQueueNums,
    )


def _attributes(text: str) -> dict[str, str]:
    """`+a=b,-c` as {"+a": "b", "-c": ""}."""
    attributes: dict[str, str] = {}
    for piece in filter(None, (part.strip() for part in text.split(","))):
        key, equals, value = piece.partition("=")
        if not (piece.startswith("+") and equals and value) and not (piece.startswith("-") and not equals):
            raise CommandError(f"attribute {piece!r} is neither +name=value nor -name")
        attributes[key] = value
    return attributes


def _order(arguments: argparse.Namespace, topic: TopicConfig, context: Context) -> None:
    info = context.admin.cluster_info()
    if arguments.clusterName is not None:
        names = [broker.broker_name for broker in context.admin.brokers_of(arguments.clusterName.strip())]
        config = ";".join(f"{name}:{topic.write_queue_nums}" for name in names)
        said = "set cluster orderConf"
    else:
        address = arguments.brokerAddr.strip()
        brokers = info.broker_addr_table.values()
        name = next((broker.broker_name for broker in brokers if address in broker.broker_addrs.values()), None)
        if name is None:
            raise CommandError(f"no name server knows the broker at {address}, so its order config was not set")
        config = _merged_order(topic.topic_name, f"{name}:{topic.write_queue_nums}", context)
        said = "set broker orderConf"
    context.admin.name_servers.put_kv_config(_ORDER_NAMESPACE, topic.topic_name, config)
    context.line(f"{said}. isOrder=true, orderConf=[{config}]")


def _merged_order(topic: str, entry: str, context: Context) -> str:
    """The order config of the topic with this broker's entry put in."""
    try:
        known = context.admin.name_servers.kv_config(_ORDER_NAMESPACE, topic)
    except ResponseError as error:
        if error.code != ResponseCode.QUERY_NOT_FOUND:
            raise
        known = ""
    name = entry.partition(":")[0]
    others = [part for part in known.split(";") if part and part.partition(":")[0] != name]
    return ";".join([*others, entry])


def _delete_options(parser: Parser) -> None:
    parser.add_argument("-t", "--topic", required=True, help="topic name")
    parser.add_argument("-c", "--clusterName", required=True, help="delete topic from which cluster")


def _delete(arguments: argparse.Namespace, context: Context) -> None:
    topic, cluster = arguments.topic.strip(), arguments.clusterName.strip()
    for address in context.admin.master_addresses(cluster):
        context.admin.delete_topic(address, topic)
    context.line(f"delete topic [{topic}] from cluster [{cluster}] success.")
    context.admin.name_servers.delete_topic(topic, cluster)
    context.line(f"delete topic [{topic}] from NameServer success.")


COMMANDS = [
    Command("updateTopic", "Update or create topic.", _update_options, _update),
    Command("deleteTopic", "Delete topic from broker and NameServer.", _delete_options, _delete),
    Command("topicRoute", "Examine topic route info.", _route_options, _route),
    Command("topicStatus", "Examine topic Status info.", _status_options, _status),
    Command("topicList", "Fetch all topic list from name server.", _list_options, _list),
]
