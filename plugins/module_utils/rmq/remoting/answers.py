# SPDX-License-Identifier: Apache-2.0
"""Frames of the two answers that a busy broker writes most, by template.

They hold the same fields in the same order as RemotingCommand.encode() would write; a test compares the two.
"""

from __future__ import annotations

import struct
from json.encoder import encode_basestring
from typing import Optional

from .version import CURRENT_VERSION

_PREFIX = struct.Struct(">ii")

_SEND = (
    '{"code":0,"extFields":{"queueId":"%%d","transactionId":%%s,"msgId":"%%s","TRACE_ON":"%%s","MSG_REGION":%%s,'
    '"queueOffset":"%%d"},"flag":1,"language":"JAVA","opaque":%%d,"serializeTypeCurrentRPC":"JSON","version":%d}'
) % CURRENT_VERSION

_PULL = (
    '{"code":%%d,"extFields":{"suggestWhichBrokerId":"%%d","groupSysFlag":"%%d","nextBeginOffset":"%%d",'
    '"maxOffset":"%%d","minOffset":"%%d","topicSysFlag":"%%d"},"flag":1,"language":"JAVA","opaque":%%d,'
    '"remark":%%s,"serializeTypeCurrentRPC":"JSON","version":%d}'
) % CURRENT_VERSION


def send_answer(
    *,
    opaque: int,
    message_id: str,
    queue_id: int,
    queue_offset: int,
    transaction_id: str,
    region: str,
    trace_on: bool = True,
) -> bytes:
    """The whole frame of a SUCCESS answer to a send of one message. `transaction_id` is its UNIQ_KEY."""
    header = (
        _SEND
        % (
            queue_id,
            encode_basestring(transaction_id),
            message_id,
            "true" if trace_on else "false",
            encode_basestring(region),
            queue_offset,
            opaque,
        )
    ).encode("utf-8", "replace")
    return _PREFIX.pack(4 + len(header), len(header)) + header


def pull_answer_header(
    *,
    opaque: int,
    code: int,
    remark: Optional[str],
    next_begin_offset: int,
    min_offset: int,
    max_offset: int,
    body_size_bytes: int,
    suggest_which_broker_id: int = 0,
    topic_sys_flag: int = 0,
    group_sys_flag: int = 0,
) -> bytes:
    """The frame of a pull answer up to its body, which goes out as the commit log's own bytes."""
    header = (
        _PULL
        % (
            code,
            suggest_which_broker_id,
            group_sys_flag,
            next_begin_offset,
            max_offset,
            min_offset,
            topic_sys_flag,
            opaque,
            encode_basestring(remark or ""),
        )
    ).encode("utf-8", "replace")
    return _PREFIX.pack(4 + len(header) + body_size_bytes, len(header)) + header
