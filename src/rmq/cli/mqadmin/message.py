# SPDX-License-Identifier: Apache-2.0
"""sendMessage, consumeMessage"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from ...client.consumer import MAX_MESSAGES_PER_PULL, PullConsumer, PullStatus
from ...client.producer import OutgoingMessage, Producer, SendStatus
from ...remoting.bodies import MessageQueue
from ...remoting.message import decompress_body
from ...remoting.topic_names import TOOLS_CONSUMER_GROUP
from .command import Command, CommandError, UsageError, timestamp, whole_number

if TYPE_CHECKING:
    import argparse

    from ...remoting.message import Host, MessageExt
    from .command import Context, Parser

_SEND_FORMAT = "%-32s  %-4s  %-20s    %s"


def _send_options(parser: Parser) -> None:
    parser.add_argument("-t", "--topic", required=True, help="Topic name")
    parser.add_argument("-p", "--body", required=True, help="UTF-8 string format of the message body")
    parser.add_argument("-k", "--key", help="Message keys")
    parser.add_argument("-c", "--tags", help="Message tags")
    parser.add_argument("-b", "--broker", help="Send message to target broker")
    parser.add_argument("-i", "--qid", type=whole_number, help="Send message to target queue")


def _send(arguments: argparse.Namespace, context: Context) -> None:
    if arguments.qid is not None and arguments.broker is None:
        raise UsageError("Broker name must be set if the queue is chosen!")
    message = OutgoingMessage(
        arguments.topic.strip(),
        arguments.body.strip().encode("utf-8", "surrogateescape"),
        tags=_stripped(arguments.tags),
        keys=_stripped(arguments.key),
    )
    # Apache's mqadmin names its group by the time, too.
    producer = Producer(context.admin, str(int(time.time() * 1000)))
    if arguments.broker is not None and arguments.qid is not None:
        queue = MessageQueue(arguments.broker.strip(), arguments.qid, message.topic)
        result = producer.send_to(message, queue)
    else:
        result = producer.send(message)
    context.line(_SEND_FORMAT % ("#Broker Name", "#QID", "#Send Result", "#MsgId"))
    row = (result.queue.broker_name, result.queue.queue_id, result.status.name, result.message_id)
    context.line(_SEND_FORMAT % row)
    if result.status is not SendStatus.SEND_OK:
        raise CommandError(f"the message is stored, but not as safely as asked for: {result.status.name}")


def _stripped(text: str | None) -> str | None:
    return None if text is None else text.strip()


def _consume_options(parser: Parser) -> None:
    time_help = "timestamp[currentTimeMillis|yyyy-MM-dd#HH:mm:ss:SSS]"
    parser.add_argument("-t", "--topic", required=True, help="Topic name")
    parser.add_argument("-b", "--brokerName", help="Broker name")
    parser.add_argument("-i", "--queueId", type=whole_number, help="Queue Id")
    parser.add_argument("-o", "--offset", type=whole_number, help="Queue offset")
    parser.add_argument("-g", "--consumerGroup", default=TOOLS_CONSUMER_GROUP, help="Consumer group name")
    parser.add_argument("-s", "--beginTimestamp", type=timestamp, help=f"Begin {time_help}")
    parser.add_argument("-e", "--endTimestamp", type=timestamp, help=f"End {time_help}")
    parser.add_argument("-c", "--MessageNumber", type=whole_number, default=128, help="Number of messages to consume")


def _consume(arguments: argparse.Namespace, context: Context) -> None:
    _check_consume(arguments)
    consumer = PullConsumer(context.admin, arguments.consumerGroup.strip())
    topic = arguments.topic.strip()
    left = arguments.MessageNumber
    for queue in consumer.queues(topic):
        if arguments.brokerName is not None and queue.broker_name != arguments.brokerName.strip():
            continue
        if arguments.queueId is None or queue.queue_id == arguments.queueId:
            begin, end = _span(consumer, queue, arguments)
            left -= _print_queue(consumer, queue, begin, min(end, begin + left), context)
        if left <= 0:
            return


def _check_consume(arguments: argparse.Namespace) -> None:
    if arguments.MessageNumber <= 0:
        raise UsageError("Please input a positive messageNumber!")
    if arguments.queueId is not None and arguments.brokerName is None:
        raise UsageError("Please set the brokerName before queueId!")
    if arguments.offset is not None and arguments.queueId is None:
        raise UsageError("Please set queueId before offset!")


def _span(consumer: PullConsumer, queue: MessageQueue, arguments: argparse.Namespace) -> tuple[int, int]:
    """Queue offsets from the first message wanted to behind the last."""
    begin, end = consumer.min_offset(queue), consumer.max_offset(queue)
    if arguments.beginTimestamp is not None:
        begin = max(begin, consumer.search_offset(queue, arguments.beginTimestamp))
    if arguments.endTimestamp is not None:
        end = min(end, consumer.search_offset(queue, arguments.endTimestamp + 1))
    return max(begin, arguments.offset or 0), end


def _print_queue(consumer: PullConsumer, queue: MessageQueue, begin: int, end: int, context: Context) -> int:
    """How many messages were printed."""
    printed = 0
    offset = begin
    status = PullStatus.NO_NEW_MSG
    while offset < end:
        result = consumer.pull(queue, offset, max_messages=min(MAX_MESSAGES_PER_PULL, end - offset))
        if result.status is PullStatus.FOUND:
            context.line("Consume ok")
            for message in result.messages:
                context.line(_message_text(message, queue.broker_name))
            printed += len(result.messages)
        elif result.next_begin_offset <= offset:
            status = result.status
            break
        offset = result.next_begin_offset
    text = f"MessageQueue [topic={queue.topic}, brokerName={queue.broker_name}, queueId={queue.queue_id}]"
    context.line(f"{text} print msg finished. status={status.name}, offset={offset}")
    return printed


def _message_text(message: MessageExt, broker_name: str) -> str:
    body = decompress_body(message.body, message.sys_flag)
    properties = ", ".join(f"{key}={value}" for key, value in message.properties.items())
    return (
        f"MSGID: {message.unique_id} MessageExt [brokerName={broker_name}, queueId={message.queue_id}, "
        f"storeSize={message.store_size}, queueOffset={message.queue_offset}, sysFlag={message.sys_flag}, "
        f"bornTimestamp={message.born_timestamp_ms}, bornHost={_host_text(message.born_host)}, "
        f"storeTimestamp={message.store_timestamp_ms}, storeHost={_host_text(message.store_host)}, "
        f"msgId={message.message_id}, commitLogOffset={message.physical_offset}, bodyCRC={message.body_crc}, "
        f"reconsumeTimes={message.reconsume_times}, "
        f"preparedTransactionOffset={message.prepared_transaction_offset}, "
        f"toString()=Message{{topic='{message.topic}', flag={message.flag}, properties={{{properties}}}, "
        f"body={list(body)}, transactionId='null'}}] BODY: {body.decode('utf-8', 'replace')}"
    )


def _host_text(host: Host) -> str:
    return f"/{host.ip}:{host.port}"


COMMANDS = [
    Command("sendMessage", "Send a message.", _send_options, _send),
    Command("consumeMessage", "Consume message.", _consume_options, _consume),
]
