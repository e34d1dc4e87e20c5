# SPDX-License-Identifier: Apache-2.0
"""POP: consumers take messages from a broker that keeps count of what is acknowledged.

    pop      take messages of any queue from where the group stands; a check point ("ck") of them is put into the
             revive topic, and only when it is stored the messages go out and the group's offset moves on
    ack      an acknowledgement ("ack", "bAck") is put into the same queue of the revive topic
    change   another check point for one message, then an acknowledgement of the old one
    revive   the revive topic is read; what is not acknowledged when its invisible time is over is put into the group's
             POP retry topic, from where it is popped again, and is then acknowledged in the revive topic

All that has to survive is in the commit log, so it is as durable as a message and a slave has it by replication alone.
The check points in flight are kept in memory too, as what was read of the revive topic (`ReviveQueue`).

Answers to Apache's PopMessageProcessor, AckMessageProcessor, ChangeInvisibleTimeProcessor, PopBufferMergeService and
PopReviveService. Two things differ, and both are in the bytes of Apache's format:

- Acknowledgements are stored before they are answered; Apache's optional buffer (enablePopBufferMerge) loses them.
- What was put into the retry topic is acknowledged by the broker itself, so that nothing is revived twice when the
  revive topic is read again after a crash.
"""
