# SPDX-License-Identifier: Apache-2.0
"""Which client of a group gets which queues, by rules that every broker and client computes alike. Answers to Apache's
AllocateMessageQueueAveragely (AVG), AllocateMessageQueueAveragelyByCircle (AVG_BY_CIRCLE) and allocate4Pop.

Queues and clients come sorted: by topic, broker name, queue id; by client id.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...remoting.bodies import MessageQueue

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Strategy = Callable[[str, Sequence[MessageQueue], Sequence[str]], list[MessageQueue]]


def averagely(client: str, queues: Sequence[MessageQueue], clients: Sequence[str]) -> list[MessageQueue]:
    """A run of neighbours for each client; the first ones have one more where it does not come out even."""
    if client not in clients:
        return []
    index = clients.index(client)
    size, more = divmod(len(queues), len(clients))
    start = index * size + min(index, more)
    return list(queues[start : start + size + (index < more)])


def averagely_by_circle(client: str, queues: Sequence[MessageQueue], clients: Sequence[str]) -> list[MessageQueue]:
    """One for each in turn."""
    if client not in clients:
        return []
    return list(queues[clients.index(client) :: len(clients)])


STRATEGIES: dict[str, Strategy] = {"AVG": averagely, "AVG_BY_CIRCLE": averagely_by_circle}


def for_pop(
    strategy: Strategy,
    client: str,
    queues: Sequence[MessageQueue],
    clients: Sequence[str],
    share_queue_num: int,
) -> list[MessageQueue]:
    """share_queue_num: how many other clients may pop a client's queues; 0 and less, or as many as there are others:
    everybody pops everywhere, which is queue id -1 of each broker."""
    if share_queue_num <= 0 or share_queue_num >= len(clients) - 1:
        everywhere = [MessageQueue(queue.broker_name, -1, queue.topic) for queue in queues]
        return list(dict.fromkeys(everywhere))
    if client not in clients:
        return []
    index = clients.index(client)
    if len(clients) > len(queues):
        return [queues[index % len(queues)]] if queues else []
    sharing = [clients[(index + step) % len(clients)] for step in range(share_queue_num + 1)]
    return list(dict.fromkeys(queue for one in sharing for queue in strategy(one, queues, clients)))
