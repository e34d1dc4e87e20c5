# SPDX-License-Identifier: Apache-2.0
"""Read the variables of one inventory host, with a fault for each that is wrong.

A variable that is absent, null or empty is not set. One that is wrong is in `Node.broken`; rules that would need it are
skipped, so that one slip gives one fault.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Dict, List, Mapping, Optional, Sequence, Tuple

from . import address as addresses
from . import tls
from .fault import Fault, quoted
from .kind import Engine, Kind
from .limits import BROKER_PORT_RANGE, NAME, PORT_RANGE, SECRET_KEYS
from .node import DEFAULT_CLUSTER, DEFAULT_PORTS, Node
from .rule import Rule
from .settings import nearest

if TYPE_CHECKING:
    from typing import TypeGuard

    from .address import Endpoint

# Variables that this file reads, and those that only roles read: both are known, anything close to one of them is a
# slip.
VARIABLES = (
    "rocketmq_cluster_name",
    "rocketmq_engine",
    "rocketmq_mode",
    "rocketmq_broker_name",
    "rocketmq_broker_id",
    "rocketmq_address",
    "rocketmq_replication_address",
    "rocketmq_listen_port",
    "rocketmq_home",
    "rocketmq_store_dir",
    "rocketmq_log_dir",
    "rocketmq_user",
    "rocketmq_in_sync_replicas",
    "rocketmq_namesrv_addr",
    "rocketmq_broker_config",
    "rocketmq_namesrv_config",
    "rocketmq_tls_mode",
    "rocketmq_tls_cert",
    "rocketmq_tls_key",
    "rocketmq_tls_trust",
    "rocketmq_check_address",
    "rocketmq_allow_mode_change",
)
_ROLE_VARIABLES = (
    "rocketmq_engine_wheels",
    "rocketmq_python",
    "rocketmq_service_manager",
    "rocketmq_version",
    "rocketmq_group",
    "rocketmq_admin_access_key",
    "rocketmq_admin_secret_key",
)
# How alike a name has to be to count as a slip of a known one: high, since a user has variables of her own.
_SLIP_RATIO = 0.9

# What `useradd` of Debian takes.
_ADDRESS_MEND = "Write an address such as 192.0.2.21, without a port"
_USER = re.compile(r"[a-z_][a-z0-9_-]{0,30}[a-z0-9_$-]?", re.ASCII)
_INTEGER = re.compile(r"-?[0-9]{1,19}", re.ASCII)
_BOOLEANS = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}
_BROKER_ID_MAX = 2**63 - 1
PATH_MAX_CHARS = 1024


class NodeReader:
    """Reads the variables of one node; `faults` grows on the way."""

    def __init__(self, host: str, kind: Kind, variables: Mapping[str, object]) -> None:
        self._host = host
        self._kind = kind
        self._variables = variables
        self._broken: List[str] = []
        self.faults: List[Fault] = []

    def read(self) -> Node:
        """The node. Look at `faults` afterwards; nothing is raised."""
        is_broker = self._kind is Kind.BROKER
        self._check_names()
        return Node(
            host=self._host,
            kind=self._kind,
            machine=self._machine(),
            cluster=self._legal_name("rocketmq_cluster_name", Rule.CLUSTER_NAME_LEGAL) or DEFAULT_CLUSTER,
            engine=self._engine(),
            mode=self._text("rocketmq_mode"),
            broker_name=self._broker_name() if is_broker else "",
            broker_id=self._broker_id() if is_broker else 0,
            address=self._address("rocketmq_address") or self._default_address(),
            replication_address=self._address("rocketmq_replication_address") if is_broker else "",
            listen_port=self._listen_port(),
            home=self._path("rocketmq_home"),
            store_dir=self._path("rocketmq_store_dir") if is_broker else "",
            log_dir=self._path("rocketmq_log_dir"),
            user=self._user(),
            in_sync_replicas=self._integer("rocketmq_in_sync_replicas") if is_broker else None,
            namesrv_addr=self._namesrv_addr() if is_broker else (),
            config=tuple({**self._tls(), **dict(self._config())}.items()),
            check_address=self._boolean("rocketmq_check_address", default=True),
            broken=frozenset(self._broken),
        )

    def _add(self, variable: str, rule: Rule, mend: str, value: str = "", **details: object) -> None:
        self._broken.append(variable)
        shown = value or (
            f"{variable} is not set" if self._raw(variable) is None else f"{variable}: {quoted(self._raw(variable))}"
        )
        self.faults.append(rule.fault(self._host, shown, mend, variable=variable, **details))

    def _form(self, variable: str, expected: str, mend: str) -> None:
        self._add(variable, Rule.VARIABLE_FORM, mend, expected=expected)

    def _check_names(self) -> None:
        known = set(VARIABLES) | set(_ROLE_VARIABLES)
        for name in self._variables:
            if name.lower().startswith("rocketmq") and name not in known:
                near = nearest(name, known, _SLIP_RATIO)
                if near:
                    self.faults.append(Rule.VARIABLE_KNOWN.fault(self._host, quoted(name), f"Write {near}"))

    def _raw(self, variable: str) -> object:
        value = self._variables.get(variable)
        return None if value == "" else value

    def _text(self, variable: str) -> str:
        value = self._raw(variable)
        if value is None:
            return ""
        if isinstance(value, str):
            return value
        self._form(variable, "a text", "Put it in quotes")
        return ""

    def _integer(self, variable: str) -> Optional[int]:
        value = self._raw(variable)
        if value is None or _is_integer(value):
            return value
        # An INI inventory and --extra-vars give numbers as text.
        if isinstance(value, str) and _INTEGER.fullmatch(value):
            return int(value)
        self._form(variable, "a whole number", f"Write {variable}: and a number without quotes")
        return None

    def _boolean(self, variable: str, *, default: bool) -> bool:
        value = self._raw(variable)
        if value is None:
            return default
        if isinstance(value, bool):
            return value
        if isinstance(value, str) and value.lower() in _BOOLEANS:
            return _BOOLEANS[value.lower()]
        self._form(variable, "true or false", f"Write {variable}: true or {variable}: false")
        return default

    def _legal_name(self, variable: str, rule: Rule) -> str:
        name = self._text(variable)
        if name and NAME.fullmatch(name) is None:
            self._add(variable, rule, f"Write {variable}: and a name of such characters")
            return ""
        return name

    def _broker_name(self) -> str:
        name = self._legal_name("rocketmq_broker_name", Rule.BROKER_NAME_LEGAL)
        if not name and "rocketmq_broker_name" not in self._broken:
            mend = "Set rocketmq_broker_name, such as broker-a"
            self._add("rocketmq_broker_name", Rule.BROKER_NAME_GIVEN, mend)
        return name

    def _broker_id(self) -> int:
        variable = "rocketmq_broker_id"
        value = self._raw(variable)
        mend = f"Write {variable}: 0 for the master, {variable}: 1 for the first slave"
        if value is None:
            self._add(variable, Rule.BROKER_ID_GIVEN, mend)
            return 0
        if isinstance(value, str) and _INTEGER.fullmatch(value):
            value = int(value)
        if not _is_integer(value) or not 0 <= value <= _BROKER_ID_MAX:
            self._add(variable, Rule.BROKER_ID_INTEGER, mend)
            return 0
        return value

    def _engine(self) -> Engine:
        name = self._text("rocketmq_engine") or Engine.PYTHON.value
        try:
            return Engine(name)
        except ValueError:
            near = nearest(name, [engine.value for engine in Engine]) or Engine.PYTHON.value
            self._form("rocketmq_engine", "python or apache", f"Write rocketmq_engine: {near}")
            return Engine.PYTHON

    def _machine(self) -> str:
        """What tells machines apart: `ansible_host`; on a loopback address also the port that Ansible connects to."""
        if self._variables.get("ansible_connection") == "local":
            return "localhost"
        host = self._variables.get("ansible_host")
        name = host if isinstance(host, str) and host else self._host
        if name is host and addresses.is_broken_ip(name):
            # Any other text may be a name that only ssh knows.
            self._add("ansible_host", Rule.ADDRESS_FORM, _ADDRESS_MEND)
        if not addresses.is_loopback(name):
            return name
        port = self._variables.get("ansible_port")
        return f"localhost:{port}" if isinstance(port, (int, str)) and str(port) not in ("", "22") else "localhost"

    def _address(self, variable: str) -> str:
        text = self._text(variable)
        if not text:
            return ""
        if not addresses.is_host(text):
            self._add(variable, Rule.ADDRESS_FORM, _ADDRESS_MEND)
            return ""
        if addresses.is_wildcard(text):
            self._add(variable, Rule.ADDRESS_WILDCARD, "Write the address by which clients reach this host")
            return ""
        return text

    def _default_address(self) -> str:
        """`ansible_host`, or the host's name in the inventory, where that is an IP; else what was found on the host."""
        if "rocketmq_address" in self._broken:
            return ""
        for variable in ("ansible_host", "default_address"):
            value = self._variables.get(variable)
            if isinstance(value, str) and addresses.ip_of(value) is not None:
                return value
        return self._host if addresses.ip_of(self._host) is not None else ""

    def _listen_port(self) -> int:
        port = self._integer("rocketmq_listen_port")
        if port is None:
            return DEFAULT_PORTS[self._kind]
        low, high = BROKER_PORT_RANGE if self._kind is Kind.BROKER else PORT_RANGE
        if not low <= port <= high:
            mend = f"Write rocketmq_listen_port: {DEFAULT_PORTS[self._kind]}, or another in that range"
            self._add("rocketmq_listen_port", Rule.PORT_RANGE, mend, low=low, high=high)
            return DEFAULT_PORTS[self._kind]
        return port

    def _path(self, variable: str) -> str:
        text = self._text(variable)
        if text and not (
            text.startswith(("/", "~")) and text.isprintable() and text == text.strip() and len(text) <= PATH_MAX_CHARS
        ):
            example = variable.replace("rocketmq_", "/srv/rocketmq/").replace("_dir", "")
            self._add(variable, Rule.PATH_FORM, f"Write the path from the root, such as {example}")
            return ""
        return text

    def _user(self) -> str:
        name = self._text("rocketmq_user")
        if name and _USER.fullmatch(name) is None:
            self._form("rocketmq_user", "a user's name: a-z 0-9 _ -", "Write rocketmq_user: rocketmq")
            return ""
        return name

    def _namesrv_addr(self) -> Tuple[Endpoint, ...]:
        variable = "rocketmq_namesrv_addr"
        text = self._text(variable)
        if not text:
            return ()
        good, bad = addresses.parse_endpoints(text)
        for piece in bad:
            mend = "Write an address and a port, such as 192.0.2.11:9876"
            if addresses.is_host(piece):
                mend = f"Write {piece}:{DEFAULT_PORTS[Kind.NAMESRV]}"
            elif not piece:
                mend = "Remove the ; that has nothing beside it"
            self._add(variable, Rule.NAMESRV_LIST_FORM, mend, f"{variable}: {quoted(piece)}")
        for endpoint in _twice(good):
            self._add(variable, Rule.NAMESRV_LIST_TWICE, "Remove one", f"{variable}: {endpoint.text()}")
        return () if bad else good

    def _tls(self) -> Dict[str, str]:
        """The TLS variables in RocketMQ's own spelling, as if they stood in rocketmq_*_config, which wins over them:
        one certificate for what comes in, one authority for what goes out."""
        mode = self._text("rocketmq_tls_mode")
        paths = {
            tls.SERVER_CERT: self._path("rocketmq_tls_cert"),
            tls.SERVER_KEY: self._path("rocketmq_tls_key"),
            tls.CLIENT_TRUST: self._path("rocketmq_tls_trust"),
        }
        if mode in ("", tls.TlsMode.DISABLED.value):
            return {}
        settings = {tls.SERVER_MODE: mode, **{key: path for key, path in paths.items() if path}}
        if self._kind is Kind.BROKER:
            settings[tls.USE_TLS] = "true"
        return settings

    def _config(self) -> Tuple[Tuple[str, str], ...]:
        variable = f"rocketmq_{self._kind.value}_config"
        value = self._raw(variable)
        if value is None:
            return ()
        if not isinstance(value, Mapping):
            mend = f"Write {variable}: and below it lines such as fileReservedTime: 72"
            shown = "a text" if isinstance(value, str) else "a list" if isinstance(value, Sequence) else "one value"
            self._add(variable, Rule.CONFIG_FORM, mend, f"{variable} is {shown}")
            return ()
        out: Dict[str, str] = {}
        for key, item in value.items():
            text = _setting_text(item)
            if isinstance(key, str) and text is not None:
                out[key] = text
                continue
            shown = f"{variable}: {quoted(key)}: {'********' if key in SECRET_KEYS else quoted(item)}"
            self._add(variable, Rule.CONFIG_FORM, "Write one text, number or boolean for it", shown)
        return tuple(out.items())


def _is_integer(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)


def _setting_text(value: object) -> Optional[str]:
    """A value of YAML as it stands in a properties file, or None."""
    if isinstance(value, str):
        return str(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int) and abs(value) < 2**64:
        return str(value)
    if isinstance(value, float) and math.isfinite(value):
        return repr(value)
    return None


def _twice(endpoints: Tuple[Endpoint, ...]) -> List[Endpoint]:
    return [item for at, item in enumerate(endpoints) if item in endpoints[:at]]
