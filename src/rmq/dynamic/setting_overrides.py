# SPDX-License-Identifier: Apache-2.0
"""Changes of settings over the wire: 318 of a name server, 25 of a broker.

Apache answers success whatever it is sent, drops what it cannot read, and writes the whole configuration over the
operator's file (measured on 5.4.0). Here a request is checked as a whole first, only listed keys can change, and what
was changed is kept in a file of its own, which the next start reads after the operator's file and logs.

    | in the request                             | answer                                                     |
    |--------------------------------------------|------------------------------------------------------------|
    | a key of the black list (files, paths)     | NO_PERMISSION, as Apache                                   |
    | an unknown key, a value that is not right  | INVALID_PARAMETER with key, rule and mend (the nearest key)|
    | a key that is read once, at the start      | INVALID_PARAMETER: change the file and restart             |
    | nothing of these                           | SUCCESS when it is on the disk; in force before that       |
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..remoting.codes import ResponseCode
from ..rpc import RequestRefused
from ..topology.kind import Engine, Kind
from ..topology.properties import Setting, parse, render
from ..topology.settings import check

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from logging import Logger
    from pathlib import Path

    from ..env import Disk, Reactor
    from ..topology.fault import Fault
    from ..topology.settings import Value

    #: Called on the loop with None, or with why the changes could not be written.
    Written = Callable[[BaseException | None], None]

_PROGRAMS = {Kind.BROKER: "broker", Kind.NAMESRV: "name server"}


class OverridesError(Exception):
    """The file of earlier changes cannot be used; the text names it."""


@dataclass(frozen=True)
class Changeable:
    """What may change over the wire."""

    kind: Kind
    keys: frozenset[str]
    #: Keys that name files: no request sets them, whatever the value.
    black_list: frozenset[str]


class SettingOverrides:
    """`values` is what was changed, in the text of the request."""

    def __init__(
        self,
        changeable: Changeable,
        path: Path,
        disk: Disk,
        reactor: Reactor,
        log: Logger,
        *,
        in_force: Callable[[], Mapping[str, str]],
        take: Callable[[dict[str, Value]], None],
    ) -> None:
        """in_force: what is set now, against which the rules between keys are checked. take puts checked values in
        force."""
        self.values: dict[str, str] = {}
        self.path = path
        self._changeable = changeable
        self._disk = disk
        self._reactor = reactor
        self._log = log
        self._in_force = in_force
        self._take = take
        self._waiting: list[Written] = []
        self._is_writing = False

    def load(self) -> None:
        """Blocks. Puts earlier changes over what the operator's file says. Raises OverridesError."""
        try:
            data = self._disk.read_bytes(self.path)
        except FileNotFoundError:
            return
        except OSError as error:
            raise OverridesError(f"{self.path} cannot be read: {error}") from None
        changes = self._checked(data, str(self.path))
        strangers = sorted(set(changes.texts) - self._changeable.keys)
        if changes.faults or strangers:
            cause = changes.faults[0].text() if changes.faults else f"{self.path}: {strangers[0]} is no dynamic key"
            raise OverridesError(f"{cause}; remove the file to go back to the settings alone")
        self._put_in_force(changes)
        for key, value in changes.texts.items():
            self._log.info("%s=%s was set over the wire (%s)", key, value, self.path)

    def update(self, body: bytes, done: Written) -> None:
        """Take the properties of a request. Raises RequestRefused; then nothing has changed."""
        changes = self._checked(body, "the request")
        if not self._changeable.black_list.isdisjoint(changes.texts):
            raise RequestRefused(ResponseCode.NO_PERMISSION, "Can not update config in black list.")
        if changes.faults:
            raise RequestRefused(ResponseCode.INVALID_PARAMETER, "; ".join(fault.text() for fault in changes.faults))
        fixed = sorted(set(changes.texts) - self._changeable.keys)
        if fixed:
            remark = f"{', '.join(fixed)}: change the {_PROGRAMS[self._changeable.kind]}'s file and restart it"
            raise RequestRefused(ResponseCode.INVALID_PARAMETER, remark)
        self._put_in_force(changes)
        texts = ", ".join(f"{key}={value}" for key, value in changes.texts.items())
        self._log.info("configuration changed over the wire: %s", texts)
        self._waiting.append(done)
        if not self._is_writing:
            self._write()

    def _put_in_force(self, changes: _Changes) -> None:
        self.values.update(changes.texts)
        self._take(changes.values)

    def _write(self) -> None:
        """One write at a time, so that the last one holds everything."""
        waiting, self._waiting = self._waiting, []
        data = render(self.values).encode("ascii")
        self._is_writing = True

        def written(outcome: BaseException | None) -> None:
            self._is_writing = False
            for done in waiting:
                done(outcome)
            if self._waiting and not self._is_writing:
                self._write()

        self._reactor.run_blocking(lambda: self._disk.replace_file(self.path, data), written)

    def _checked(self, data: bytes, source: str) -> _Changes:
        parsed = parse(data, source)
        texts = {setting.key: setting.value for setting in parsed.settings}
        others = [Setting(key, text, 0, "in force") for key, text in self._in_force().items() if key not in texts]
        checked = check([*others, *parsed.settings], engine=Engine.PYTHON, kind=self._changeable.kind)
        values = {key: value for key, value in checked.values.items() if key in texts}
        return _Changes(texts, values, (*parsed.faults, *checked.faults))


@dataclass(frozen=True)
class _Changes:
    texts: dict[str, str]
    values: dict[str, Value]
    faults: tuple[Fault, ...]
