# SPDX-License-Identifier: Apache-2.0
"""`mqbroker --rebuild-from ADDRESS`: an empty master gets everything from a slave before it serves anybody.

First what the commit log does not hold (topics, groups, offsets, as a slave copies them from its master), then the log
itself; queues and index are made from it. A topic that was so new that the slave had its messages and not yet its
configuration is derived from its queues.

From the first byte to the last a file in the store says that it is being rebuilt (MessageStore.begin_rebuild): without
it, a rebuild that was killed would look like a master that has lost its last writes, and one that serves half of the
messages. Repeated, it goes on where it was.
"""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING

from ..store.ha.log_comparison import log_crc, telling_range
from .durable_table import flush_all
from .master_return import LogFetch
from .pair_log import PairLog
from .slave_synchronize import SlaveSynchronize

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..rpc import OutboundClient
    from ..store.ha.log_comparison import LogState, Range
    from .auth.auth_synchronize import AuthMetadataCopy
    from .broker_context import BrokerContext

    Done = Callable[[str], None]

LOOK_MS = 20

_LOG = logging.getLogger("rmq.ha")


class Rebuild:
    """`run` once, on the loop, before the broker listens; the store is started and empty."""

    def __init__(
        self,
        context: BrokerContext,
        client: OutboundClient,
        address: str,
        *,
        auth_copy: AuthMetadataCopy | None,
    ) -> None:
        """auth_copy: as SlaveSynchronize has it."""
        self._context = context
        self._address = address
        self._peer = PairLog(context.config.broker_name, client, lambda: address)
        self._tables = SlaveSynchronize.of(context, client, auth_copy)
        self._done: Done = lambda why: None

    def run(self, done: Done) -> None:
        """done(""), or done(why this master must not start)."""
        self._done = done
        store = self._context.store
        end = store.max_physical_offset
        if end and not store.rebuilding_from:
            root = self._context.config.store_path_root_dir
            done(
                f"the store {root} is not empty: --rebuild-from fills an empty one, and a rebuild that came to its end "
                "is not repeated; start without it to go on with what is there"
            )
            return
        # What an earlier rebuild has fetched must be a part of the same log.
        wanted = telling_range(store, store.min_physical_offset, end)
        self._peer.ask(wanted, partial(self._found, wanted))

    def _found(self, wanted: Range, state: LogState | None, why: str) -> None:
        store = self._context.store
        if state is None:
            self._finish(why or "it is no broker of this engine")
            return
        if wanted[1] and (state.crc != log_crc(store, wanted) or store.mending.damaged):
            # All that is here came from a broker of the pair, and not all of that was on the disk when it was killed.
            _LOG.warning(
                "what an earlier rebuild has left is not a part of the log of %s: from the start", self._address
            )
            store.truncate_to(store.min_physical_offset)
        store.begin_rebuild(self._address)
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
            store = self._context.store
            is_empty = store.max_physical_offset == store.min_physical_offset
            start = state.min_offset if is_empty else store.max_physical_offset
            LogFetch(self._context, self._peer, self._fetched).from_offset(start)

    def _fetched(self, why: str) -> None:
        self._context.topics.derive(self._context.store.queues())
        if why:
            self._finish(why)
        else:
            flush_all(self._context.stored_tables, self._tables_written)

    def _tables_written(self, faults: list[OSError]) -> None:
        if faults:
            self._finish(str(faults[0]))
            return
        # Nothing else runs yet: blocking is no harm.
        self._context.store.end_rebuild()
        self._finish("")

    def _finish(self, why: str) -> None:
        self._done(f"the rebuild from {self._address} failed: {why}" if why else "")
