# SPDX-License-Identifier: Apache-2.0
"""consumerConnection, producerConnection"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from ...client.errors import ResponseError
from ...remoting.codes import ResponseCode
from ...remoting.topic_names import retry_topic
from ...remoting.version import version_description
from .command import Command, CommandError

if TYPE_CHECKING:
    import argparse

    from ...remoting.bodies import ConsumerConnection
    from .command import Context, Parser


def _consumer_options(parser: Parser) -> None:
    parser.add_argument("-g", "--consumerGroup", required=True, help="consumer group name")
    parser.add_argument("-b", "--brokerAddr", help="broker address")


def _consumer(arguments: argparse.Namespace, context: Context) -> None:
    group = arguments.consumerGroup.strip()
    brokers = (
        [arguments.brokerAddr.strip()] if arguments.brokerAddr is not None else _route(retry_topic(group), context)
    )
    found = _first_that_knows(group, brokers, context)
    context.line(f"{'#ClientId':<36} {'#ClientAddr':<22} {'#Language':<10} #Version")
    for client in sorted(found.connection_set, key=lambda each: each.client_id):
        version = version_description(client.version)
        context.line(f"{client.client_id:<36} {client.client_addr:<22} {client.language:<10} {version}")
    context.line("\nBelow is subscription:")
    context.line(f"{'#Topic':<20} #SubExpression")
    for topic, subscription in sorted(found.subscription_table.items()):
        context.line(f"{topic:<20} {subscription.sub_string}")
    context.line()
    context.line(f"ConsumeType: {found.consume_type}")
    context.line(f"MessageModel: {found.message_model}")
    context.line(f"ConsumeFromWhere: {found.consume_from_where}")


def _route(topic: str, context: Context) -> list[str]:
    addresses = (broker.select_address() for broker in context.admin.topic_route(topic).broker_datas)
    return [address for address in addresses if address is not None]


def _first_that_knows(group: str, brokers: list[str], context: Context) -> ConsumerConnection:
    """Consumers connect to every broker of their topics, so that one says it all."""
    for broker in brokers:
        try:
            return context.admin.consumer_connection(broker, group)
        except ResponseError as error:
            if error.code != ResponseCode.CONSUMER_NOT_ONLINE:
                raise
    raise CommandError(f"the consumer group[{group}] not online")


def _producer_options(parser: Parser) -> None:
    parser.add_argument("-g", "--producerGroup", required=True, help="producer group name")
    parser.add_argument("-t", "--topic", required=True, help="topic name")


def _producer(arguments: argparse.Namespace, context: Context) -> None:
    group = arguments.producerGroup.strip()
    for broker in _route(arguments.topic.strip(), context):
        with contextlib.suppress(ResponseError):
            clients = context.admin.producer_connection(broker, group).connection_set
            for number, client in enumerate(sorted(clients, key=lambda each: each.client_id), 1):
                version = version_description(client.version)
                context.line(
                    f"{number:04d}  {client.client_id:<32} {client.client_addr:<22} {client.language:<8} {version}"
                )
            return
    raise CommandError(f"the producer group[{group}] not exist")


COMMANDS = [
    Command(
        "consumerConnection",
        "Query consumer's socket connection, client version and subscription.",
        _consumer_options,
        _consumer,
    ),
    Command(
        "producerConnection", "Query producer's socket connection and client version.", _producer_options, _producer
    ),
]
