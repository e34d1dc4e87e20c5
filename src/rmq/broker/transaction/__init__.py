# SPDX-License-Identifier: Apache-2.0
"""Transaction messages. Answers to Apache's broker.transaction.

A producer sends a half message, runs its local transaction, and says commit or rollback; where it says nothing, it is
asked. Everything is in the log:

    RMQ_SYS_TRANS_HALF_TOPIC     queue 0: half messages, with their real topic and queue in properties
    RMQ_SYS_TRANS_OP_HALF_TOPIC  queue 0: which of them are over; tag `d`, body "offset,offset,..." of the half queue
    TRANS_CHECK_MAX_TIME_TOPIC   what nobody gave an answer about
    consumerOffset.json          group CID_RMQ_SYS_TRANS: before its offset of the half queue no transaction is open,
                                 before that of the op queue no op message names one behind it

These are Apache's files and rules, so either engine goes on from the other's store.
"""
