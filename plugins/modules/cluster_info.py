#!/usr/bin/python
# Copyright: Contributors to the RocketMQ cluster collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: cluster_info
short_description: See from outside whether a RocketMQ cluster is whole
version_added: 0.1.0
description:
  - Asks every name server which brokers it lists and every broker for its HA status, over RocketMQ's own protocol.
  - With O(brokers) it waits until every name server lists each of them with the right name, id and address, and every
    master counts all of its slaves as connected and in sync.
  - Without O(brokers) it reports what is there.
author:
  - Contributors to the RocketMQ cluster collection (!UNKNOWN)
extends_documentation_fragment:
  - rocketmq.cluster.attributes
attributes:
  check_mode:
    support: full
    description: Does not wait; says what it would wait for where O(brokers) is given, and reports otherwise.
  diff_mode:
    support: none
    description: Changes nothing.
options:
  namesrv_addr:
    description: The name servers, C(host:port), several with C(;) between.
    type: str
    required: true
  brokers:
    description: The brokers that have to be there.
    type: list
    elements: dict
    default: []
    suboptions:
      broker_name:
        description: brokerName.
        type: str
        required: true
      broker_id:
        description: brokerId, 0 for a master.
        type: int
        required: true
      address:
        description: The address it registers, C(ip:port).
        type: str
        required: true
      node:
        description: Its name in the inventory.
        type: str
        default: ""
  tls:
    description: Whether to speak TLS.
    type: bool
    default: false
  tls_trust:
    description:
      - File on the host with the certificates of who signs the servers' certificates, PEM.
      - Without it every server is believed.
    type: path
  tls_cert:
    description: File on the host with the certificate that is shown to servers that ask for one, PEM.
    type: path
  tls_key:
    description: File on the host with the key of O(tls_cert), PEM, without a password.
    type: path
  timeout:
    description: Seconds to wait at most.
    type: int
    default: 60
  access_key:
    description: Name of a user who may ask, where brokers have C(authenticationEnabled).
    type: str
    default: ""
  secret_key:
    description: That user's secret. It signs the requests and does not travel.
    type: str
    default: ""
"""

EXAMPLES = r"""
- name: What is there
  rocketmq.cluster.cluster_info:
    namesrv_addr: 192.0.2.11:9876;192.0.2.12:9876
  register: info

- name: Wait until a pair is whole
  rocketmq.cluster.cluster_info:
    namesrv_addr: 192.0.2.11:9876
    brokers:
      - {broker_name: broker-a, broker_id: 0, address: "192.0.2.21:10911"}
      - {broker_name: broker-a, broker_id: 1, address: "192.0.2.22:10911"}
"""

RETURN = r"""
missing:
  description: What was not as it should be, one sentence each; empty on success.
  returned: always
  type: list
  elements: str
table:
  description: The nodes, one line each, for people.
  returned: when somebody was asked
  type: list
  elements: str
brokers:
  description: The brokers.
  returned: when somebody was asked
  type: list
  elements: dict
  contains:
    broker_name:
      description: brokerName.
      type: str
    broker_id:
      description: brokerId.
      type: int
    address:
      description: The registered address.
      type: str
    answers:
      description: Whether it answered.
      type: bool
    slaves_in_sync:
      description: How many slaves a master counts in sync; 0 for a slave.
      type: int
    max_physical_offset:
      description: The end of its commit log.
      type: int
"""

import time
from typing import TYPE_CHECKING, Any, Dict, List, Mapping, Optional, Sequence, Tuple

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.cluster_view import Broker, View, listed_brokers, look, missing, table
from ..module_utils.rmq.client.address import parse_name_servers
from ..module_utils.rmq.client.connections import Connections
from ..module_utils.rmq.client.tls import TlsFileError, client_context
from ..module_utils.rmq.remoting.signature import SessionCredentials

if TYPE_CHECKING:
    import ssl

_POLL_S = 0.2
# One peer that is silent must not eat the whole wait.
_ANSWER_MS = 3000
_BROKER = {
    "broker_name": {"type": "str", "required": True},
    "broker_id": {"type": "int", "required": True},
    "address": {"type": "str", "required": True},
    "node": {"type": "str", "default": ""},
}


def _tls(params: Mapping[str, Any]) -> Optional[ssl.SSLContext]:
    if not params["tls"]:
        return None
    return client_context(
        trust_path=params["tls_trust"] or "", cert_path=params["tls_cert"] or "", key_path=params["tls_key"] or ""
    )


def _watch(
    name_servers: Sequence[str], wanted: Sequence[Broker], timeout_s: float, connections: Connections
) -> Tuple[View, List[str]]:
    """The last view and what it lacked."""
    deadline = time.monotonic() + timeout_s
    with connections:
        while True:
            view = look(connections, name_servers, wanted)
            lacking = missing(wanted, view) if wanted else []
            if not lacking or time.monotonic() >= deadline:
                return view, lacking
            time.sleep(_POLL_S)


def _rows(brokers: Sequence[Broker], view: View) -> List[Dict[str, Any]]:
    rows = []
    for broker in brokers:
        row: Dict[str, Any] = {
            "broker_name": broker.broker_name,
            "broker_id": broker.broker_id,
            "address": broker.address,
        }
        status = view.replication[broker.address]
        if isinstance(status, str):
            rows.append(dict(row, answers=False, slaves_in_sync=0, max_physical_offset=0))
            continue
        end = status.master_commit_log_max_offset if status.master else status.ha_client_runtime_info.max_offset
        rows.append(dict(row, answers=True, slaves_in_sync=status.in_sync_slave_nums, max_physical_offset=end))
    return rows


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "namesrv_addr": {"type": "str", "required": True},
            "brokers": {"type": "list", "elements": "dict", "default": [], "options": _BROKER},
            "tls": {"type": "bool", "default": False},
            "tls_trust": {"type": "path"},
            "tls_cert": {"type": "path"},
            "tls_key": {"type": "path", "no_log": False},
            "timeout": {"type": "int", "default": 60},
            "access_key": {"type": "str", "default": "", "no_log": False},
            "secret_key": {"type": "str", "default": "", "no_log": True},
        },
        required_together=[("access_key", "secret_key"), ("tls_cert", "tls_key")],
        supports_check_mode=True,
    )
    params = module.params
    wanted = [Broker(**broker) for broker in params["brokers"]]
    try:
        name_servers = parse_name_servers(params["namesrv_addr"])
    except ValueError as error:
        module.fail_json(msg=f"namesrv_addr: {error}")
    if module.check_mode and wanted:
        names = ", ".join(f"{broker.broker_name} {broker.broker_id}" for broker in wanted)
        module.exit_json(
            changed=False,
            missing=[],
            table=[f"would wait until {params['namesrv_addr']} list {names} and all slaves are in sync"],
        )
    credentials = None
    if params["access_key"]:
        credentials = SessionCredentials(params["access_key"], params["secret_key"])
    try:
        tls = _tls(params)
    except TlsFileError as error:
        module.fail_json(msg=f"TLS: {error}")
    connections = Connections(_ANSWER_MS, credentials, tls)
    view, lacking = _watch(name_servers, wanted, params["timeout"], connections)
    brokers = wanted or listed_brokers(view.listings)
    result = {"missing": lacking, "table": table(brokers, view), "brokers": _rows(brokers, view)}
    if lacking:
        module.fail_json(msg=f"after {params['timeout']} s: " + "; ".join(lacking), **result)
    module.exit_json(changed=False, **result)


if __name__ == "__main__":
    main()
