# SPDX-License-Identifier: Apache-2.0
"""From the command line and a properties file to checked settings. Every fault is printed; then the start fails."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from ..topology import tls
from ..topology.kind import Engine, Kind
from ..topology.properties import Setting, parse
from ..topology.rule import Rule
from ..topology.settings import Value, check
from .server_process import StartError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..topology.fault import Fault

    _Read = tuple[tuple[Setting, ...], tuple[Fault, ...]]

_log = logging.getLogger("rmq.cli")


# A ~ in front stands for the user's home: the shipped files cannot know it. (Apache's programs do not read it so.)
_PATH_KEYS = ("storePathRootDir", "kvConfigPath", "configStorePath")
_PATH_LIST_KEYS = ("storePathCommitLog", "readOnlyCommitLogStorePaths")


def read_settings(kind: Kind, file: str | None, given: Mapping[str, tuple[str, str]]) -> dict[str, Value]:
    """given holds what the command line or the environment says, as key -> (value, where it stands); it wins over the
    file. Raises StartError when anything is wrong with any of it."""
    settings: tuple[Setting, ...] = ()
    faults: tuple[Fault, ...] = ()
    if file is not None:
        parsed = parse(_read(Path(file)), file)
        settings, faults = _with_tls_file(parsed.settings, parsed.faults)
    settings = tuple(setting for setting in settings if setting.key not in given)
    settings += tuple(Setting(key, value, 0, place) for key, (value, place) in given.items())
    checked = check(settings, engine=Engine.PYTHON, kind=kind)
    faults += checked.faults
    if faults:
        _refuse(faults)
    if checked.accepted_without_effect:
        _log.info("accepted without effect on this engine: %s", ", ".join(checked.accepted_without_effect))
    values = checked.values
    paths = {key: _at_home(str(values[key])) for key in _PATH_KEYS if key in values}
    lists = {key: ",".join(map(_at_home, str(values[key]).split(","))) for key in _PATH_LIST_KEYS if values.get(key)}
    return {**values, **paths, **lists}


def _at_home(path: str) -> str:
    return str(Path(path).expanduser())


def _with_tls_file(settings: tuple[Setting, ...], faults: tuple[Fault, ...]) -> _Read:
    """What tls.config.file holds stands beside the rest, and wins over it, as on Apache."""
    named = next((one for one in settings if one.key == tls.CONFIG_FILE and one.value), None)
    if named is None:
        return settings, faults
    parsed = parse(_read(Path(named.value)), named.value)
    strange = [one for one in parsed.settings if one.key not in tls.FILE_KEYS]
    faults += parsed.faults
    faults += tuple(
        Rule.TLS_FILE.fault(one.place, one.shown, "Set it in the server's own file, or remove it") for one in strange
    )
    theirs = tuple(one for one in parsed.settings if one not in strange)
    keys = {tls.CONFIG_FILE, *(one.key for one in theirs)}
    return (*(one for one in settings if one.key not in keys), *theirs), faults


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise StartError(f"{path} cannot be read: {error.strerror}") from None


def _refuse(faults: tuple[Fault, ...]) -> None:
    texts = [fault.text() for fault in faults]
    if len(texts) == 1:
        raise StartError(texts[0])
    for text in texts:
        _log.error("%s", text)
        print(text, file=sys.stderr)  # noqa: T201
    raise StartError(f"{len(texts)} settings are wrong, each is named above; the first: {texts[0]}")
