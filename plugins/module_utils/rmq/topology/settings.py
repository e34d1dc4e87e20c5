# SPDX-License-Identifier: Apache-2.0
"""Check the settings of one program: known keys, right types, ranges, and the rules between them.

Apache's broker drops what it cannot read without a word (measured on 5.4.0: ``slaveReadEnable=true `` is false,
``flushDiskType=SYNC`` is ASYNC_FLUSH, ``brokerRole=SLAV`` starts a second master). Here each of these is a `Fault`
with file, line, key, value and mend.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Dict, Iterable, List, Mapping, Optional, Sequence, Tuple, Union

from . import credentials, tls
from .address import is_host, is_network, is_wildcard, parse_endpoint, parse_endpoints
from .fault import Fault, quoted
from .keys import KEYS_OF, RENAMED, VERSION, Key
from .kind import Engine, Kind
from .limits import BROKER_PORT_RANGE, CHOICES, FORMS, INTEGER_RANGES, MASTER_ROLES, PORT_RANGE, RANGES, SECRET_KEYS
from .python_engine import OWN_KEYS, Use, refusal, use_of
from .rule import Rule

if TYPE_CHECKING:
    from .properties import Setting

Value = Union[str, int, float, bool]

_INTEGER = re.compile(r"[+-]?[0-9]{1,19}", re.ASCII)
_DECIMAL = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?", re.ASCII)
_EXPECTED = {
    "boolean": "true or false",
    "int": "a whole number",
    "long": "a whole number",
    "double": "a number",
}
_ADDRESS_KEYS = frozenset(("brokerIP1", "brokerIP2", "bindAddress"))
# Keys of the Python engine that take a list with ; between.
_LISTS = (
    (("bindAddresses",), is_host, "addresses with ; between"),
    (("haPeers", "registrationNetworks"), is_network, "IP addresses or networks such as 192.0.2.0/24, ; between"),
)
_NAMESRV_EXAMPLE = "host:port, several with ; between, such as 192.0.2.11:9876;192.0.2.12:9876"
# What a name has to share with a known one to be offered in its place; 0.6 is difflib's own choice.
_NEAR_RATIO = 0.6


@dataclass(frozen=True)
class Checked:
    """The outcome. With faults, ``values`` holds the settings that are right and nothing may be started from them.

    ``values`` has the keys that were set, typed as Java has them; what was not set is left to the reader's defaults.
    """

    values: Dict[str, Value]
    accepted_without_effect: Tuple[str, ...]
    faults: Tuple[Fault, ...]


def check(settings: Sequence[Setting], *, engine: Engine, kind: Kind) -> Checked:
    """Check all settings of one program, each alone and then together. Nothing is raised."""
    keys = known_keys(engine, kind)
    values: Dict[str, Value] = {}
    places: Dict[str, Setting] = {}
    faults: List[Fault] = list(_twice(settings))
    for setting in {item.key: item for item in settings}.values():
        key = keys.get(setting.key)
        if key is None:
            faults.append(_unknown(setting, keys, kind))
            continue
        value, fault = _value_of(setting, key, engine, kind)
        places[setting.key] = setting
        if fault is not None:
            faults.append(fault)
        elif value is not None:
            values[setting.key] = value
    if kind is Kind.BROKER:
        faults.extend(_together(_Together(values, places, keys)))
    faults.extend(tls.faults(values, places))
    without_effect: Tuple[str, ...] = ()
    if engine is Engine.PYTHON:
        without_effect = tuple(sorted(name for name in values if use_of(name, kind) is Use.ACCEPTED))
    return Checked(values, without_effect, tuple(faults))


def known_keys(engine: Engine, kind: Kind) -> Mapping[str, Key]:
    """The keys that this engine's program knows, our own extra ones included."""
    if engine is Engine.APACHE:
        return KEYS_OF[kind]
    return {**KEYS_OF[kind], **{key.name: key for key in OWN_KEYS[kind]}}


def nearest(name: str, known: Iterable[str], ratio: float = _NEAR_RATIO) -> str:
    """The right name that was probably meant, or an empty string. Another case alone wins over all."""
    names = sorted(known)
    folded = name.strip().lower().replace("_", "").replace("-", "").replace(".", "")
    by_fold = {candidate.lower().replace("_", "").replace(".", ""): candidate for candidate in names}
    if folded in by_fold:
        return by_fold[folded]
    close = difflib.get_close_matches(folded[:127], list(by_fold), n=1, cutoff=ratio)
    return by_fold[close[0]] if close else ""


def _twice(settings: Sequence[Setting]) -> Iterable[Fault]:
    last = {setting.key: setting for setting in settings}
    for setting in settings:
        winner = last[setting.key]
        if setting is not winner and setting.value != winner.value:
            value = setting.shown
            mend = f"Remove this line or line {winner.line} ({winner.shown})"
            yield Rule.KEY_TWICE.fault(setting.place, value, mend, last=winner.line)


def _unknown(setting: Setting, keys: Mapping[str, Key], kind: Kind) -> Fault:
    name = setting.key.strip()
    other = Kind.NAMESRV if kind is Kind.BROKER else Kind.BROKER
    if name in RENAMED:
        mend = f"It is {RENAMED[name]} now"
    elif name in KEYS_OF[other]:
        mend = f"It is a key of the {_program(other)}: set it there"
    else:
        near = nearest(name, keys)
        mend = f"Write {near}" if near else "Remove it"
    value = setting.shown
    return Rule.KEY_UNKNOWN.fault(setting.place, value, mend, version=VERSION, kind=_program(kind))


def _program(kind: Kind) -> str:
    return "broker" if kind is Kind.BROKER else "name server"


def _value_of(setting: Setting, key: Key, engine: Engine, kind: Kind) -> Tuple[Optional[Value], Optional[Fault]]:
    """The typed value, or the first rule that it breaks; neither for an empty text, which sets nothing."""
    shown, place = setting.shown, setting.place
    if not setting.value.isprintable():
        return None, Rule.VALUE_CONTROL.fault(place, shown, f"Write {key.name}= and the value in one line")
    text = setting.value.strip()
    if text != setting.value:
        mend = "Write it without them" if key.name in SECRET_KEYS else f"Write {key.name}={text}"
        return None, Rule.VALUE_BLANKS.fault(place, shown, mend)
    if engine is Engine.PYTHON:
        why = refusal(key.name, text, kind)
        if why:
            return None, Rule.KEY_REFUSED.fault(place, shown, "Remove it, or use Apache's engine", why=why)
    if key.java_type == "String" or key.name in CHOICES:
        return _text_value(setting, key, kind)
    value = _typed(text, key.java_type)
    if value is None:
        mend = f"Write {key.name}={_example(key)}"
        return None, Rule.VALUE_TYPE.fault(place, shown, mend, key=key.name, expected=_EXPECTED[key.java_type])
    if isinstance(value, int) and not isinstance(value, bool):
        low, high = _range(key, kind)
        if not low <= value <= high:
            mend = f"Write a number in that range, such as {_example(key)}"
            return None, Rule.VALUE_RANGE.fault(place, shown, mend, key=key.name, low=low, high=high)
    return value, None


def _typed(text: str, java_type: str) -> Optional[Value]:
    if java_type == "boolean":
        return {"true": True, "false": False}.get(text.lower())
    if java_type == "double":
        return float(text) if _DECIMAL.fullmatch(text) else None
    return int(text) if _INTEGER.fullmatch(text) else None


def _range(key: Key, kind: Kind) -> Tuple[int, int]:
    if key.name == "listenPort":
        return BROKER_PORT_RANGE if kind is Kind.BROKER else PORT_RANGE
    return RANGES.get(key.name, INTEGER_RANGES[key.java_type])


def _example(key: Key) -> str:
    if key.java_type == "boolean" and key.default not in ("true", "false"):
        return "false"
    return key.default


def _text_value(setting: Setting, key: Key, kind: Kind) -> Tuple[Optional[Value], Optional[Fault]]:
    text, place, shown = setting.value, setting.place, setting.shown
    if key.name in CHOICES:
        choices = CHOICES[key.name]
        if text in choices:
            return text, None
        near = nearest(text, choices) or key.default
        mend = f"Write {key.name}={near}"
        return None, Rule.VALUE_CHOICE.fault(place, shown, mend, key=key.name, choices=", ".join(choices))
    if not text:
        return None, None
    expected, mend = _wrong_form(text, key)
    if expected:
        return None, Rule.VALUE_FORM.fault(place, shown, mend, key=key.name, expected=expected)
    return text, None


def _wrong_form(text: str, key: Key) -> Tuple[str, str]:
    """What the key takes and how to mend it, or two empty strings when the value is right."""
    if key.name in credentials.FIELDS:
        try:
            credentials.parse_credentials(key.name, text)
        except ValueError:
            return credentials.expected(key.name), "Write it in that form"
    form = FORMS.get(key.name)
    if form is not None and form.pattern.fullmatch(text) is None:
        return form.expected, f"Write {key.name} in that form"
    if key.name == "namesrvAddr":
        bad = parse_endpoints(text)[1]
        if bad:
            return _NAMESRV_EXAMPLE, f"{quoted(bad[0])} is no address with a port: correct it"
    if key.name == "haMasterAddress" and parse_endpoint(text) is None:
        return "host:port of the master's HA service", "Write the master's address and its haListenPort"
    for names, is_piece, expected in _LISTS:
        bad_pieces = [piece for piece in text.split(";") if not is_piece(piece)] if key.name in names else []
        if bad_pieces:
            return expected, f"{quoted(bad_pieces[0])} is none: correct it"
    if key.name in _ADDRESS_KEYS:
        if not is_host(text):
            return "an IP or a host name", "Write the address of a network interface of this machine"
        if key.name != "bindAddress" and is_wildcard(text):
            return "one address that others can connect to", "Write the address of a network interface of this machine"
    return "", ""


@dataclass(frozen=True)
class _Together:
    """Settings as the rules between keys look at them: set, left to the default, or broken already."""

    values: Mapping[str, Value]
    places: Mapping[str, Setting]
    keys: Mapping[str, Key]

    def anchor(self, *names: str) -> Optional[Setting]:
        """The first of these that is set; None when none is, or when one of them broke a rule of its own."""
        present = [self.places[name] for name in names if name in self.places]
        broken = any(setting.value and setting.key not in self.values for setting in present)
        return None if broken or not present else present[0]

    def number(self, name: str) -> int:
        """The number in force: the one that was set, else Apache's default."""
        return int(self.values.get(name, self.keys[name].default))

    def shown(self, *names: str) -> str:
        """The keys with the values in force, for the fault."""
        return ", ".join(f"{name}={self.values.get(name, self.keys[name].default)}" for name in names)


def _together(state: _Together) -> Iterable[Fault]:
    """The rules between a broker's keys; a rule is skipped when none of its keys is set."""
    anchor = state.anchor("brokerId", "brokerRole")
    if anchor is not None:
        role, broker_id = state.values.get("brokerRole", MASTER_ROLES[0]), state.number("brokerId")
        shown = state.shown("brokerRole", "brokerId")
        if role == "SLAVE" and broker_id == 0:
            yield Rule.SLAVE_ID.fault(anchor.place, shown, "Write brokerId=1, or the next number free in its pair")
        if role in MASTER_ROLES and broker_id != 0:
            mend = "Write brokerRole=SLAVE for a slave, brokerId=0 for a master"
            yield Rule.MASTER_ID.fault(anchor.place, shown, mend)
    anchor = state.anchor("haListenPort", "listenPort")
    if anchor is not None and "haListenPort" in state.values:
        port = state.number("listenPort")
        if state.number("haListenPort") in (port, port - 2):
            mend = f"Write haListenPort={port + 1}, or leave it out"
            yield Rule.OWN_PORTS.fault(anchor.place, state.shown("listenPort", "haListenPort"), mend)
    ratios = ("diskMaxUsedSpaceRatio", "diskSpaceCleanForciblyRatio", "diskSpaceWarningLevelRatio")
    anchor = state.anchor(*ratios)
    if anchor is not None and not state.number(ratios[0]) < state.number(ratios[1]) < state.number(ratios[2]):
        yield Rule.RATIO_ORDER.fault(anchor.place, state.shown(*ratios), "Put them in that order, such as 75, 85, 90")
    yield from _security(state)
    replicas = ("minInSyncReplicas", "inSyncReplicas")
    anchor = state.anchor(*replicas)
    if anchor is not None and state.number(replicas[0]) > state.number(replicas[1]):
        mend = f"Write minInSyncReplicas={state.number(replicas[1])} or less"
        yield Rule.IN_SYNC_ORDER.fault(anchor.place, state.shown(*replicas), mend)


def _security(state: _Together) -> Iterable[Fault]:
    is_authenticated = state.values.get("authenticationEnabled", False)
    anchor = state.anchor("authorizationEnabled")
    if anchor is not None and state.values.get("authorizationEnabled") and not is_authenticated:
        yield Rule.AUTHENTICATION_FIRST.fault(anchor.place, anchor.shown, "Write authenticationEnabled=true too")
    anchor = state.anchor("authenticationEnabled")
    inner = "innerClientAuthenticationCredentials"
    is_slave = state.values.get("brokerRole") == "SLAVE"
    if anchor is not None and is_authenticated and is_slave and inner not in state.places:
        mend = f"Set {inner}, the same on every broker of the cluster"
        yield Rule.SLAVE_CREDENTIALS.fault(anchor.place, anchor.shown, mend)
