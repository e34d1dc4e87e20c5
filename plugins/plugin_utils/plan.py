# Copyright: Contributors to the RocketMQ cluster collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run is going to do with each node, decided on the controller from the inventory and, once somebody has looked,
from what preflight found on the hosts.

The rules and the settings are those of ``rmq.topology``; this file brings Ansible's variables to it and adds what only
a deployment has: which node of a machine installs the engine there, and what was deployed before.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from ..module_utils.rmq.topology import derive, inventory, machine_rules, tls
from ..module_utils.rmq.topology.address import ip_of
from ..module_utils.rmq.topology.credentials import parse_credentials
from ..module_utils.rmq.topology.fault import Fault
from ..module_utils.rmq.topology.kind import Engine, Kind
from ..module_utils.rmq.topology.limits import SECRET_KEYS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ..module_utils.rmq.topology.node import Node
    from ..module_utils.rmq.topology.topology import Topology

GROUP_OF_KIND = {Kind.NAMESRV: "rocketmq_namesrv", Kind.BROKER: "rocketmq_broker"}
# Facts and results of our own roles, which are no variables of the user's.
RUN_FACTS = frozenset(("rocketmq_plan", "rocketmq_look", "rocketmq_files", "rocketmq_start", "rocketmq_cluster"))
_ADMIN = ("rocketmq_admin_access_key", "rocketmq_admin_secret_key")
_AUTH_KEYS = SECRET_KEYS | {"authenticationEnabled", "authorizationEnabled"}
_CONNECTION_VARIABLES = ("ansible_host", "ansible_port", "ansible_connection")
# A new broker makes its first commit log file and soon the second.
_FIRST_COMMIT_LOGS = 2
_APACHE_COMMIT_LOG_BYTES = 1 << 30


@dataclass(frozen=True)
class NodePlan:
    """One node.  What is resolved on the host (paths, address) is empty until somebody has looked."""

    host: str
    kind: str
    cluster: str
    machine: str
    # Whether this node's host installs what its machine needs once: the engine, the user, the record.
    leader: bool
    broker_name: str
    broker_id: int
    role: str
    endpoint: str
    namesrv_addr: str
    user: str
    settings: dict[str, str]
    # What preflight has to look at: its options.
    preflight: dict[str, Any]
    variables: dict[str, Any]
    # The order of restarts: slaves before masters, name servers last.
    restart_rank: int
    # Nodes that were deployed on this machine before and are no more: to be stopped.
    strays: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class ClusterPlan:
    """What has to be seen from outside when all is up."""

    namesrv_addr: str
    brokers: list[dict[str, Any]]
    # By whom the brokers are asked where they have authenticationEnabled; empty where they do not.
    access_key: str = ""
    secret_key: str = ""
    # How cluster_info asks: its options of the same names.
    tls: bool = False
    tls_trust: str = ""
    tls_cert: str = ""
    tls_key: str = ""


@dataclass(frozen=True)
class Plan:
    mode: str
    nodes: dict[str, NodePlan]
    clusters: dict[str, ClusterPlan]

    def as_fact(self) -> dict[str, Any]:
        return asdict(self)

    @property
    def has_secrets(self) -> bool:
        clusters = any(cluster.secret_key for cluster in self.clusters.values())
        return clusters or any(SECRET_KEYS & node.settings.keys() for node in self.nodes.values())


def variables_of(host: str, kind: Kind, hostvars: Mapping[str, Any]) -> dict[str, Any]:
    """A host's variables as ``rmq.topology`` reads them, without Ansible's tags."""
    names = [name for name in hostvars if name.startswith("rocketmq") and name not in RUN_FACTS]
    chosen = {name: hostvars[name] for name in (*names, *_CONNECTION_VARIABLES) if name in hostvars}
    plain: dict[str, Any] = json.loads(json.dumps(chosen, default=str))
    return {**plain, "host": host, "kind": kind.value}


def make_plan(
    mode: str, hosts: Sequence[Mapping[str, Any]], looks: Mapping[str, Mapping[str, Any]]
) -> tuple[Plan | None, list[Fault]]:
    """The plan, or all that is wrong with the inventory.

    ``hosts`` are the results of :func:`variables_of`; ``looks`` what preflight returned for each host, or nothing when
    nobody has looked yet.
    """
    nodes = [dict(item, default_address=looks.get(item["host"], {}).get("address", "")) for item in hosts]
    # A play in batches has looked at some of the hosts only.
    resolved = bool(looks) and all(looks.get(item["host"]) for item in hosts)
    topology, faults = inventory.examine(mode, nodes, resolved=resolved)
    faults += [_no_apache(node) for node in topology.nodes if node.engine is Engine.APACHE]
    variables = {item["host"]: dict(item) for item in hosts}
    faults += _deployment_faults(topology, variables, looks)
    if faults:
        return None, faults
    leaders = _leaders(topology)
    plans = {
        node.host: _node_plan(topology, node, variables[node.host], looks.get(node.host, {}), node.host in leaders)
        for node in topology.nodes
    }
    return Plan(mode, plans, _clusters(topology, plans, variables)), []


def _no_apache(node: Node) -> Fault:
    return Fault(
        node.host,
        "rocketmq_engine: apache",
        "this version of the collection deploys its own engine only",
        "Write rocketmq_engine: python",
        "engine-available",
    )


def _leaders(topology: Topology) -> set[str]:
    """The first node of each cluster's folder on each machine."""
    first: dict[tuple[str, str, str], str] = {}
    for node in topology.nodes:
        first.setdefault((node.machine, node.cluster, node.home), node.host)
    return set(first.values())


def _node_plan(
    topology: Topology, node: Node, variables: Mapping[str, Any], look: Mapping[str, Any], leader: bool
) -> NodePlan:
    settings = derive.settings_of(
        topology, node, store_dir=str(look.get("store_dir", "")), data_dir=str(look.get("store_dir", ""))
    )
    return NodePlan(
        host=node.host,
        kind=node.kind.value,
        cluster=node.cluster,
        machine=node.machine,
        leader=leader,
        broker_name=node.broker_name,
        broker_id=node.broker_id,
        role=settings.get("brokerRole", ""),
        endpoint=node.endpoint.text() if node.address else "",
        namesrv_addr=settings.get("namesrvAddr", ""),
        user=node.user or "rocketmq",
        settings=settings,
        preflight=_preflight(node, variables, settings),
        variables=_recorded(variables) if variables.get("rocketmq_embedded") else {},
        restart_rank=1 if node.is_slave else 2 if node.is_broker else 3,
        strays=sorted(_strays(topology, node, look)) if leader else [],
    )


def _recorded(variables: Mapping[str, Any]) -> dict[str, Any]:
    """What check and stop need to find this node again: no secret, and nothing that would ask for one."""
    kept = {name: value for name, value in variables.items() if name not in ("host", "kind", *_ADMIN)}
    config = kept.get("rocketmq_broker_config")
    if isinstance(config, dict):
        kept["rocketmq_broker_config"] = {key: value for key, value in config.items() if key not in _AUTH_KEYS}
    return kept


def _preflight(node: Node, variables: Mapping[str, Any], settings: Mapping[str, str]) -> dict[str, Any]:
    addresses = {node.address, node.replication_address} if node.check_address else set()
    # Without an inventory there is no line to change.
    variable = "-e rocketmq_port_offset=100" if variables.get("rocketmq_embedded") else "rocketmq_listen_port"
    bound = settings.get("bindAddresses") or settings.get("bindAddress") or "0.0.0.0"
    return {
        "node": node.host,
        "cluster": node.cluster,
        "service_manager": variables.get("rocketmq_service_manager") or "auto",
        "home": node.home,
        "store_dir": node.store_dir,
        "log_dir": node.log_dir,
        "need_bytes": _first_bytes(settings) if node.is_broker else 0,
        "addresses": sorted(address for address in addresses if ip_of(address) is not None),
        "ports": [
            {"port": port, "purpose": key, "variable": variable} for port, key in machine_rules.ports_of(node).items()
        ],
        "bind_addresses": bound.split(";"),
        "python": variables.get("rocketmq_python") or "",
        "user": node.user or "rocketmq",
    }


def _first_bytes(settings: Mapping[str, str]) -> int:
    return _FIRST_COMMIT_LOGS * int(settings.get("mappedFileSizeCommitLog", _APACHE_COMMIT_LOG_BYTES))


def _clusters(
    topology: Topology, plans: Mapping[str, NodePlan], variables: Mapping[str, Mapping[str, Any]]
) -> dict[str, ClusterPlan]:
    clusters = {}
    for name, nodes in topology.clusters().items():
        brokers = [node for node in nodes if node.is_broker]
        namesrv_addr = topology.namesrv_addr_of(brokers[0]) if brokers else ""
        clusters[name] = ClusterPlan(
            namesrv_addr,
            [
                {
                    "node": node.host,
                    "broker_name": node.broker_name,
                    "broker_id": node.broker_id,
                    "address": node.endpoint.text(),
                }
                for node in brokers
            ],
            *_administrator([plans[node.host].settings for node in brokers], [variables[node.host] for node in nodes]),
            **_asking(nodes),
        )
    return clusters


def _administrator(settings: Sequence[Mapping[str, str]], variables: Sequence[Mapping[str, Any]]) -> tuple[str, str]:
    """Whom the user named; else the inner client, whose secret is what the brokers' files say; else the first user."""
    for item in variables:
        given = tuple(str(item.get(name) or "") for name in _ADMIN)
        if all(given):
            return given[0], given[1]
    for key in ("innerClientAuthenticationCredentials", "initAuthenticationUser"):
        for broker in settings:
            found = parse_credentials(key, broker.get(key, ""))
            if found is not None:
                return found
    return "", ""


def _asking(nodes: Sequence[Node]) -> dict[str, Any]:
    """Encrypted where one of the nodes takes nothing else, with what the cluster's own nodes call each other with."""
    if not any(node.config_value(tls.SERVER_MODE) == tls.TlsMode.ENFORCING.value for node in nodes):
        return {}

    def first(key: str) -> str:
        return next((value for node in nodes if (value := node.config_value(key))), "")

    return {
        "tls": True,
        "tls_trust": first(tls.CLIENT_TRUST),
        "tls_cert": first(tls.CLIENT_CERT),
        "tls_key": first(tls.CLIENT_KEY),
    }


# ---- what was deployed before -------------------------------------------------------------------------------------


def record_of(plan: Mapping[str, Any], host: str) -> dict[str, Any]:
    """What a machine remembers of this deployment: its own nodes, each with what would make it another node."""
    mine = plan["nodes"][host]
    together = [
        node
        for node in plan["nodes"].values()
        if node["machine"] == mine["machine"]
        and node["cluster"] == mine["cluster"]
        and node["preflight"]["home"] == mine["preflight"]["home"]
    ]
    return {
        "cluster": mine["cluster"],
        "mode": plan["mode"],
        "nodes": {
            node["host"]: {
                "group": GROUP_OF_KIND[Kind(node["kind"])],
                "role": _role_text(node["kind"], node["broker_name"], node["broker_id"]),
                # Without an inventory, check and stop find their nodes here.
                "variables": node["variables"],
            }
            for node in together
        },
    }


def _role_text(kind: str, broker_name: str, broker_id: int) -> str:
    return f"{broker_name}, id {broker_id}" if kind == Kind.BROKER.value else "name server"


def _deployment_faults(
    topology: Topology, variables: Mapping[str, Mapping[str, Any]], looks: Mapping[str, Mapping[str, Any]]
) -> Iterator[Fault]:
    """Another mode or another role than the deployed one, unless that is what the user asked for."""
    mend = (
        "Set rocketmq_allow_mode_change: true where that is meant, or take the old one down first: "
        "ansible-playbook playbooks/stop.yml -e rocketmq_remove=true (this deletes its messages)"
    )
    for host in _leaders(topology):
        deployed = looks.get(host, {}).get("deployed") or {}
        if not deployed or _may_change(variables[host], looks):
            continue
        before, now = deployed.get("mode"), topology.mode.value if topology.mode else ""
        if before != now:
            difference = f"{before} was deployed here, {now} is asked for" + _missing_text(topology, deployed)
            yield Fault(host, f"mode {now}", difference, mend, "mode-deployed")
            continue
        for node in topology.nodes:
            was = deployed.get("nodes", {}).get(node.host, {}).get("role")
            role = _role_text(node.kind.value, node.broker_name, node.broker_id)
            if was is not None and was != role:
                yield Fault(node.host, role, f"{was} was deployed here under this name", mend, "role-deployed")


def _may_change(variables: Mapping[str, Any], looks: Mapping[str, Mapping[str, Any]]) -> bool:
    """On hosts only where the user says so; the cluster of a playbook without an inventory also when it was stopped."""
    if str(variables.get("rocketmq_allow_mode_change", "")).lower() in ("true", "yes", "on", "1"):
        return True
    return bool(variables.get("rocketmq_embedded")) and not any(look.get("pid") for look in looks.values())


def _missing_text(topology: Topology, deployed: Mapping[str, Any]) -> str:
    gone = sorted(set(deployed.get("nodes", {})) - {node.host for node in topology.nodes})
    return f"; it would end {', '.join(gone)}" if gone else ""


def _strays(topology: Topology, node: Node, look: Mapping[str, Any]) -> set[str]:
    deployed = look.get("deployed") or {}
    return set(deployed.get("nodes", {})) - {other.host for other in topology.nodes if other.machine == node.machine}
