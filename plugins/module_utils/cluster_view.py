# Copyright: Contributors to the RocketMQ cluster collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A cluster seen from outside: what its name servers list and what its masters say of their slaves.

:func:`look` asks; everything else decides on what was answered and can be tried without a network.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Dict, List, Sequence, Tuple, Union

from .rmq.remoting.bodies.broker_info import HARuntimeInfo
from .rmq.remoting.bodies.route import MASTER_ID, ClusterInfo
from .rmq.remoting.codes import RequestCode
from .rmq.remoting.errors import RemotingError

if TYPE_CHECKING:
    from .rmq.client.connections import Connections

# (brokerName, brokerId) -> address, as one name server has it.
Listing = Dict[Tuple[str, int], str]


@dataclass(frozen=True)
class Broker:
    """A broker that is to be there; ``node`` is its name in the inventory."""

    broker_name: str
    broker_id: int
    address: str
    node: str = ""

    @property
    def is_master(self) -> bool:
        return self.broker_id == MASTER_ID


@dataclass(frozen=True)
class View:
    """What was answered: by each name server its listing, by each broker its HA status, or the error of asking."""

    listings: Dict[str, Union[Listing, str]]
    replication: Dict[str, Union[HARuntimeInfo, str]]


def look(connections: Connections, name_servers: Sequence[str], wanted: Sequence[Broker]) -> View:
    """Ask every name server for its brokers, then each broker for its HA status."""
    listings: Dict[str, Union[Listing, str]] = {}
    for address in name_servers:
        try:
            answer = connections.to(address).call(RequestCode.GET_BROKER_CLUSTER_INFO)
            listings[address] = _listing(ClusterInfo.decode(answer.body))
        except (RemotingError, ValueError) as error:
            listings[address] = str(error)
    replication: Dict[str, Union[HARuntimeInfo, str]] = {}
    for address in sorted({broker.address for broker in wanted or listed_brokers(listings)}):
        try:
            answer = connections.to(address).call(RequestCode.GET_BROKER_HA_STATUS)
            replication[address] = HARuntimeInfo.decode(answer.body)
        except (RemotingError, ValueError) as error:
            replication[address] = str(error)
    return View(listings, replication)


def _listing(info: ClusterInfo) -> Listing:
    return {
        (name, broker_id): address
        for name, data in info.broker_addr_table.items()
        for broker_id, address in data.broker_addrs.items()
    }


def listed_brokers(listings: Dict[str, Union[Listing, str]]) -> List[Broker]:
    """All brokers that any name server lists."""
    known = {
        Broker(name, broker_id, address)
        for listing in listings.values()
        if not isinstance(listing, str)
        for (name, broker_id), address in listing.items()
    }
    return sorted(known, key=lambda broker: (broker.broker_name, broker.broker_id, broker.address))


def missing(wanted: Sequence[Broker], view: View) -> List[str]:
    """What is still to come until the cluster is whole, one sentence each."""
    found: List[str] = []
    for address, listing in view.listings.items():
        found += (
            [f"name server {address}: {listing}"]
            if isinstance(listing, str)
            else ([text for text in (_not_listed(address, listing, broker) for broker in wanted) if text])
        )
    for broker in wanted:
        found += _not_in_sync(broker, slaves_of(broker, wanted), view.replication[broker.address])
    return found


def slaves_of(master: Broker, brokers: Sequence[Broker]) -> int:
    return sum(1 for other in brokers if other.broker_name == master.broker_name and not other.is_master)


def _not_listed(name_server: str, listing: Listing, broker: Broker) -> str:
    address = listing.get((broker.broker_name, broker.broker_id))
    who = f"{broker.broker_name}, id {broker.broker_id}"
    if address is None:
        return f"name server {name_server} does not list {who}"
    if address != broker.address:
        return f"name server {name_server} lists {who} at {address}, not at {broker.address}"
    return ""


def _not_in_sync(broker: Broker, slaves: int, status: Union[HARuntimeInfo, str]) -> List[str]:
    who = f"{broker.broker_name}, id {broker.broker_id} ({broker.address})"
    if isinstance(status, str):
        return [f"{who}: {status}"]
    if status.master != broker.is_master:
        return [f"{who} runs as a {'master' if status.master else 'slave'}"]
    if broker.is_master and status.in_sync_slave_nums < slaves:
        return [f"{who} counts {status.in_sync_slave_nums} of {slaves} slaves in sync"]
    return []


# ---- for people ---------------------------------------------------------------------------------------------------


def table(wanted: Sequence[Broker], view: View) -> List[str]:
    """The nodes, one line each, with a heading."""
    rows = [("BROKER", "ID", "ROLE", "ADDRESS", "STATE")]
    rows += [("-", "-", "name server", address, _listing_text(listing)) for address, listing in view.listings.items()]
    for broker in sorted(wanted, key=lambda item: (item.broker_name, item.broker_id)):
        role = "master" if broker.is_master else "slave"
        state = _state_text(broker, slaves_of(broker, wanted), view)
        rows.append((broker.broker_name, str(broker.broker_id), role, broker.address, state))
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    return ["  ".join([*(row[at].ljust(widths[at]) for at in range(4)), row[4]]).rstrip() for row in rows]


def _listing_text(listing: Union[Listing, str]) -> str:
    if isinstance(listing, str):
        return listing
    return "lists 1 broker" if len(listing) == 1 else f"lists {len(listing)} brokers"


def _state_text(broker: Broker, slaves: int, view: View) -> str:
    status = view.replication[broker.address]
    if isinstance(status, str):
        return status
    if not broker.is_master:
        return f"has {status.ha_client_runtime_info.max_offset} bytes of its master's log"
    log = f"{status.master_commit_log_max_offset} bytes of log"
    return f"{log}, {status.in_sync_slave_nums} of {slaves} slaves in sync" if slaves else log
