# SPDX-License-Identifier: Apache-2.0
"""`mqbroker --rebuild-from ADDRESS`: an empty master gets everything from a slave before it serves anybody.

First what the commit log does not hold (topics, groups, offsets, as a slave copies them from its master), then the log
itself; queues and index are made from it. A topic that was so new that the slave had its messages and not yet its
configuration is derived from its queues.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .master_return import LogFetch
from .pair_log import PairLog
from .slave_synchronize import SlaveSynchronize

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..remoting.codes import RequestCode
    from ..rpc import OutboundClient
    from ..store.ha.log_comparison import LogState
    from .auth.auth_synchronize import AuthMetadataCopy
    from .broker_context import BrokerContext

    Done = Callable[[str], None]

LOOK_MS = 20


class Rebuild:
    """`run` once, on the loop, before the broker listens; the store is started and empty."""

    def __init__(
        self,
        context: BrokerContext,
        client: OutboundClient,
        address: str,
        whole_tables: dict[RequestCode, Callable[[bytes], None]],
        *,
        auth_copy: AuthMetadataCopy | None,
    ) -> None:
        """whole_tables and auth_copy: as SlaveSynchronize has them."""
        self._context = context
        self._address = address
        self._peer = PairLog(context.config.broker_name, client, lambda: address)
        self._tables = SlaveSynchronize(
            client,
            context.reactor,
            topics=context.topics,
            groups=context.groups,
            offsets=context.offsets,
            whole_tables=whole_tables,
            auth_copy=auth_copy,
        )
        self._done: Done = lambda why: None

    def run(self, done: Done) -> None:
        """done(""), or done(why this master must not start)."""
        self._done = done
        store = self._context.store
        if store.max_physical_offset:
            done(
                f"the store {self._context.config.store_path_root_dir} is not empty: --rebuild-from fills an empty one"
            )
            return
        self._peer.ask((0, 0), self._found)

    def _found(self, state: LogState | None, why: str) -> None:
        if state is None:
            self._finish(why or "it is no broker of this engine")
            return
        self._tables.set_master_address(self._address)
        self._tables.start()
        self._wait_for_tables(state)

    def _wait_for_tables(self, state: LogState) -> None:
        if self._tables.is_busy:
            self._context.reactor.call_later(LOOK_MS, lambda: self._wait_for_tables(state))
            return
        self._tables.shutdown()
        if self._tables.fault:
            self._finish(self._tables.fault)
        else:
            LogFetch(self._context, self._peer, self._fetched).from_offset(state.min_offset)

    def _fetched(self, why: str) -> None:
        self._context.topics.derive(self._context.store.queues())
        self._finish(why)

    def _finish(self, why: str) -> None:
        self._done(f"the rebuild from {self._address} failed: {why}" if why else "")
