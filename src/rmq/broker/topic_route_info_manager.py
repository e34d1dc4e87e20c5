# SPDX-License-Identifier: Apache-2.0
"""Queues of a topic on all brokers, as the name servers know them: for the assignment of queues by the broker. Answers
to Apache's TopicRouteInfoManager.

A route is asked for when it is first needed and again when it is older than MAX_AGE_MS; who asks meanwhile waits with
the first. While no name server answers, what was known counts; with nothing known, this broker's own queues.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..remoting.bodies import MessageQueue, TopicRouteData
from ..remoting.codes import RequestCode, ResponseCode
from ..remoting.command import RemotingCommand
from ..remoting.json_body import BodyError
from ..remoting.perm import is_readable

if TYPE_CHECKING:
    from ..env import Reactor
    from ..rpc import CallFailed, OutboundClient
    from .broker_config import BrokerConfig
    from .topic_config_manager import TopicConfigManager

#: Sorted queues, None where nobody knows the topic.
Queues = list[MessageQueue] | None
Found = Callable[[Queues], None]

#: Apache's loadBalancePollNameServerInterval is 30 s; a topic that grows should not wait that long.
MAX_AGE_MS = 5_000
TIMEOUT_MS = 3_000

#: Clients name topics: routes kept at most.
MAX_ROUTES = 10_000

log = logging.getLogger(__name__)


@dataclass
class _Route:
    queues: Queues = None
    asked_at_ms: int | None = None
    is_known: bool = False
    waiting: list[Found] = field(default_factory=list)


class TopicRouteInfoManager:
    def __init__(
        self, config: BrokerConfig, topics: TopicConfigManager, client: OutboundClient, reactor: Reactor
    ) -> None:
        self._config = config
        self._topics = topics
        self._client = client
        self._reactor = reactor
        self._routes: dict[str, _Route] = {}

    def queues(self, topic: str, done: Found) -> None:
        """done gets the readable queues, sorted; at once where they are known, else when a name server answers."""
        now_ms = self._reactor.clock.monotonic_ms()
        route = self._routes.get(topic)
        if route is None:
            if len(self._routes) >= MAX_ROUTES:
                self._routes.clear()
            route = self._routes[topic] = _Route()
        if route.asked_at_ms is not None and now_ms - route.asked_at_ms < MAX_AGE_MS and not route.waiting:
            done(route.queues)
            return
        route.waiting.append(done)
        if len(route.waiting) == 1:
            route.asked_at_ms = now_ms
            self._ask(topic, route, list(self._config.name_servers))

    def _ask(self, topic: str, route: _Route, addresses: list[str]) -> None:
        if not addresses:
            if not route.is_known:
                route.queues = self._own_queues(topic)
            self._answer(route)
            return
        request = RemotingCommand.request(RequestCode.GET_ROUTEINFO_BY_TOPIC, {"topic": topic})

        def answered(answer: RemotingCommand | CallFailed) -> None:
            if not isinstance(answer, RemotingCommand):
                self._ask(topic, route, addresses[1:])
                return
            try:
                route.queues = _queues(topic, answer)
                route.is_known = True
            except BodyError as error:
                log.warning("name server %s sent a route of %s that cannot be read: %s", addresses[0], topic, error)
            self._answer(route)

        self._client.invoke(addresses[0], request, TIMEOUT_MS, answered)

    def _answer(self, route: _Route) -> None:
        waiting, route.waiting = route.waiting, []
        for done in waiting:
            done(route.queues)

    def _own_queues(self, topic: str) -> Queues:
        config = self._topics.get(topic)
        if config is None or not is_readable(config.perm):
            return None
        return [MessageQueue(self._config.broker_name, number, topic) for number in range(config.read_queue_nums)]


def _queues(topic: str, answer: RemotingCommand) -> Queues:
    """Raises BodyError."""
    if answer.code != ResponseCode.SUCCESS:
        return None
    found = [
        MessageQueue(data.broker_name, number, topic)
        for data in TopicRouteData.decode(answer.body).queue_datas
        if is_readable(data.perm)
        for number in range(min(data.read_queue_nums, MAX_QUEUES))
    ]
    return sorted(found, key=lambda queue: (queue.broker_name, queue.queue_id))


#: Of one topic on one broker; a name server could say any number.
MAX_QUEUES = 10_000
