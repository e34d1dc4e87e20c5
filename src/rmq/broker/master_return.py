# SPDX-License-Identifier: Apache-2.0
"""What a master takes from its slaves before it serves anybody.

| the slave's log, compared | done |
|---|---|
| has more, the same bytes up to our end | the rest is fetched: this machine lost its last writes, the slave did not |
| has data, this disk has never seen any | the start is refused: the master has lost its disk (`--rebuild-from` helps) |
| has other bytes below our end | nothing: the slave sets its tail aside when it connects |
| is shorter, or the same | nothing |

Damaged places are filled from it before, and consumer offsets that were committed at the slave while this master was
away are merged in at last, the newer ones count: consumers do not get again what they have acknowledged.

Slaves are those that the name servers list, and the other hosts of haPeers.

A slave that does not answer is passed over, and said in the log: a pair with one broker left must come up. Where this
machine may have lost what was acknowledged (it did not stop cleanly, and acknowledged what slaves had and its own disk
perhaps had not), it waits LOST_WITHIN_MS for as many slaves as make sure that one of them has it: after a power loss of
both, slaves start at the same time. A slave of Apache's tells only its end (28) and its offsets.
"""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING

from ..remoting.bodies import ClusterInfo, ConsumerOffsetSerializeWrapper, KVTable
from ..remoting.codes import RequestCode, ResponseCode
from ..remoting.command import RemotingCommand
from ..remoting.json_body import BodyError
from ..store.errors import StoreError
from ..store.ha.address import format_address
from ..store.ha.log_comparison import log_crc, telling_range
from .durable_table import flush_all
from .pair_log import READ_BYTES_MAX, TIMEOUT_MS, PairLog

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..rpc import CallFailed, OutboundClient
    from ..store.ha.log_comparison import LogState, Range
    from .broker_context import BrokerContext
    from .damage_repair import DamageRepair

    Done = Callable[[str], None]

# Name servers of a site that starts as a whole may be a moment behind their brokers.
NAME_SERVERS_WITHIN_MS = 2_000
NAME_SERVERS_PAUSE_MS = 250
# A machine that had its power cut with this one is up by then, or is not coming back by itself.
LOST_WITHIN_MS = 10_000
READ_AGAIN_MAX, READ_AGAIN_MS = 3, 1_000

_LOG = logging.getLogger("rmq.ha")


class MasterReturn:
    """`run` once, on the loop, before the broker listens; the store is started."""

    def __init__(self, context: BrokerContext, client: OutboundClient, repair: DamageRepair) -> None:
        self._repair = repair
        self._context = context
        self._config = context.config
        self._store = context.store
        self._client = client
        self._slaves: list[str] = []
        self._named: set[str] = set()
        """Those that name servers list: a host of haPeers may have a broker of another pair at that port."""
        self._heard: set[str] = set()
        self._needed = self._slaves_needed()
        self._deadline_ms = 0
        self._done: Done = _nobody

    def run(self, done: Done) -> None:
        """done(""), or done(why this master must not start)."""
        self._done = done
        self._deadline_ms = self._context.clock.monotonic_ms()
        if self._needed:
            self._deadline_ms += LOST_WITHIN_MS
        elif self._store.max_physical_offset:
            self._deadline_ms += NAME_SERVERS_WITHIN_MS
        self._ask_name_servers()

    def _slaves_needed(self) -> int:
        """So many slaves must be heard that one of them has whatever was acknowledged; 0 where this disk has it."""
        settings = self._store.config
        if not self._store.was_killed or not settings.waits_for_slaves or settings.waits_for_flush:
            return 0
        return max(1, len(self._listed_slaves()) - (settings.in_sync_replicas - 1) + 1)

    # -- who the slaves are

    def _listed_slaves(self) -> set[str]:
        """The other hosts of haPeers, at the port that brokers have as a rule: name servers may be away, or may not
        have heard of a slave yet, and an empty master must not start beside a full slave."""
        config = self._config
        hosts = {one.strip() for one in config.ha_peers.split(";") if one.strip() and "/" not in one}
        return {format_address(host, config.listen_port) for host in hosts - {config.broker_ip1, config.broker_ip2}}

    def _ask_name_servers(self) -> None:
        addresses = self._config.name_servers
        waiting = set(addresses)
        answers = 0

        def take(address: str, answer: RemotingCommand | CallFailed) -> None:
            nonlocal answers
            waiting.discard(address)
            if isinstance(answer, RemotingCommand) and answer.code == ResponseCode.SUCCESS:
                answers += 1
                self._named |= self._slaves_in(address, answer.body)
            if waiting:
                return
            self._slaves = sorted((self._named | self._listed_slaves()) - self._heard)
            self._next_slave(is_known=answers > 0)

        if not addresses:
            self._done("")
            return
        for address in addresses:
            command = RemotingCommand.request(RequestCode.GET_BROKER_CLUSTER_INFO)
            self._client.invoke(address, command, TIMEOUT_MS, partial(take, address))

    def _slaves_in(self, name_server: str, body: bytes) -> set[str]:
        try:
            info = ClusterInfo.decode(body)
        except BodyError as error:
            _LOG.warning("name server %s: %s", name_server, error)
            return set()
        pair = info.broker_addr_table.get(self._config.broker_name)
        if pair is None or pair.cluster != self._config.broker_cluster_name:
            return set()
        return {address for broker_id, address in pair.broker_addrs.items() if int(broker_id) > 0}

    # -- one slave after the other

    def _next_slave(self, *, is_known: bool = True) -> None:
        """is_known: some name server has said who they are."""
        if not self._slaves:
            self._all_asked(is_known=is_known)
            return
        slave = self._slaves.pop(0)
        peer = PairLog(self._config.broker_name, self._client, lambda: slave)
        # Damaged bytes would differ from the slave's: they come first.
        self._repair.run([peer], lambda: self._compare(slave, peer))

    def _all_asked(self, *, is_known: bool) -> None:
        if is_known and len(self._heard) >= self._needed:
            self._done("")
        elif self._context.clock.monotonic_ms() < self._deadline_ms:
            self._context.reactor.call_later(NAME_SERVERS_PAUSE_MS, self._ask_name_servers)
        else:
            if not is_known:
                _LOG.warning("no name server answers: whether a slave has more of this log is not known")
            elif self._needed:
                _LOG.error(
                    "%d of %d slaves were heard within %d ms: what was acknowledged just before the crash may be on one"
                    " that is away; it will keep that in a file",
                    len(self._heard),
                    self._needed,
                    LOST_WITHIN_MS,
                )
            self._done("")

    def _compare(self, slave: str, peer: PairLog) -> None:
        own_end = self._store.max_physical_offset
        # One question tells the ends, and whether the last bytes here are the same there.
        wanted = telling_range(self._store, self._store.min_physical_offset, own_end)
        peer.ask(wanted, lambda state, why: self._compared(slave, peer, wanted, state, why))

    def _compared(self, slave: str, peer: PairLog, wanted: Range, state: LogState | None, why: str) -> None:
        own_end = self._store.max_physical_offset
        if slave not in self._named and (why or state is None):
            _LOG.info("no slave of this pair is at %s, which haPeers lists: %s", slave, why or "not of this engine")
            self._next_slave()
        elif why:
            _LOG.warning("slave %s is not asked for what it has: %s", slave, why)
            self._next_slave()
        elif state is None:
            self._heard.add(slave)
            self._ask_apache(slave)
        elif not own_end and state.max_offset and not self._context.topics.was_stored:
            self._refuse(slave, state.max_offset)
        elif state.whole_offset <= own_end:
            self._heard.add(slave)
            self._ask_offsets(slave)
        elif own_end and log_crc(self._store, wanted) != state.crc:
            self._heard.add(slave)
            _LOG.error("the log of slave %s has other bytes below %d: it will set them aside", slave, own_end)
            self._ask_offsets(slave)
        else:
            _LOG.warning("slave %s has %d bytes that are lost here: fetching", slave, state.whole_offset - own_end)
            fetch = LogFetch(self._context, peer, lambda why: self._fetched(slave, why))
            fetch.from_offset(own_end or state.min_offset)

    def _fetched(self, slave: str, why: str) -> None:
        end = self._store.max_physical_offset
        if why:
            _LOG.error("the rest of the log could not be fetched from slave %s, it ends at %d: %s", slave, end, why)
        else:
            self._heard.add(slave)
            _LOG.info("the log is whole again up to %d", end)
        self._ask_offsets(slave)

    def _refuse(self, slave: str, their_end: int) -> None:
        config = self._config
        self._done(
            f"the store {config.store_path_root_dir} is empty, but slave {slave} of {config.broker_name} has"
            f" {their_end} bytes of its log: start this master once with --rebuild-from {slave}, or empty the"
            " slave's store too"
        )

    def _ask_apache(self, slave: str) -> None:
        def take(answer: RemotingCommand | CallFailed) -> None:
            if isinstance(answer, RemotingCommand) and answer.code == ResponseCode.SUCCESS:
                their_end = _log_end(answer.body)
                if their_end and not self._store.max_physical_offset:
                    self._refuse(slave, their_end)
                    return
            self._ask_offsets(slave)

        command = RemotingCommand.request(RequestCode.GET_BROKER_RUNTIME_INFO)
        self._client.invoke(slave, command, TIMEOUT_MS, take)

    # -- offsets

    def _ask_offsets(self, slave: str) -> None:
        def take(answer: RemotingCommand | CallFailed) -> None:
            if not isinstance(answer, RemotingCommand) or answer.code != ResponseCode.SUCCESS:
                why = answer.remark if isinstance(answer, RemotingCommand) else answer
                _LOG.warning("consumer offsets are not merged from slave %s: %s", slave, why)
                self._next_slave()
                return
            body = answer.body
            self._context.reactor.run_blocking(lambda: ConsumerOffsetSerializeWrapper.decode(body), decoded)

        def decoded(table: ConsumerOffsetSerializeWrapper | BaseException) -> None:
            if isinstance(table, BaseException):
                _LOG.warning("consumer offsets are not merged from slave %s: %s", slave, table)
            elif self._merge_offsets(slave, table):
                # On the disk before anybody is served: at the next start this slave may be out of reach.
                flush_all([self._context.offsets], written)
                return
            self._next_slave()

        def written(faults: list[OSError]) -> None:
            for fault in faults:
                _LOG.error("consumer offsets that were taken from slave %s could not be written: %s", slave, fault)
            self._next_slave()

        command = RemotingCommand.request(RequestCode.GET_ALL_CONSUMER_OFFSET)
        self._client.invoke(slave, command, TIMEOUT_MS, take)

    def _merge_offsets(self, slave: str, table: ConsumerOffsetSerializeWrapper) -> bool:
        """False where the slave has none that are newer."""
        changes = {key: newer for key, queues in table.offset_table.items() if (newer := self._newer(key, queues))}
        if changes:
            _LOG.info("consumer offsets of %d topics and groups are newer at slave %s: taken", len(changes), slave)
            self._context.offsets.merge(changes)
        return bool(changes)

    def _newer(self, key: str, theirs: dict[int, int]) -> dict[int, int]:
        """Those that are higher than ours and for which there are messages here."""
        topic, _, group = key.partition("@")
        own = self._context.offsets.queues(group, topic)
        return {
            queue_id: offset
            for queue_id, offset in theirs.items()
            if own.get(queue_id, -1) < offset <= self._store.max_offset(topic, queue_id)
        }


class LogFetch:
    """Appends another broker's log to the own one, up to its last whole record. A read that fails is tried again: what
    does not come now is set aside on the other broker later."""

    def __init__(self, context: BrokerContext, peer: PairLog, done: Done) -> None:
        self._store = context.store
        self._reactor = context.reactor
        self._peer = peer
        self._done = done
        self._failures = 0

    def from_offset(self, offset: int) -> None:
        """offset: the own end, or where the other's log begins while the own one is empty."""
        self._peer.read(offset, READ_BYTES_MAX, lambda part, why: self._append(offset, part, why))

    def _append(self, offset: int, part: bytes | None, why: str) -> None:
        if part is None and self._failures < READ_AGAIN_MAX:
            self._failures += 1
            self._reactor.call_later(READ_AGAIN_MS, lambda: self.from_offset(offset))
            return
        if not part:
            self._over(why)
            return
        try:
            self._store.append_raw(offset, part)
        except StoreError as error:
            self._over(str(error))
            return
        # Behind the commit, which may have failed.
        self._reactor.call_soon(lambda: self._appended(offset + len(part)))

    def _appended(self, end: int) -> None:
        if self._store.max_physical_offset != end:
            self._over("the log cannot be written")
        else:
            self._failures = 0
            self.from_offset(end)

    def _over(self, why: str) -> None:
        """What comes next are this master's own messages."""
        try:
            self._store.end_raw()
        except OSError as error:
            why = why or str(error)
        self._done(why)


def _log_end(body: bytes) -> int:
    try:
        return int(KVTable.decode(body).table.get("commitLogMaxOffset", "0"))
    except (BodyError, ValueError):
        return 0


def _nobody(why: str) -> None:
    del why
