# SPDX-License-Identifier: Apache-2.0
"""Whether mqadmin encrypts what it says: TLS_ENABLE and TLS_CONFIG_FILE, the names of Apache's system properties
(tls.enable, tls.config.file) as an environment writes them, beside NAMESRV_ADDR."""

from __future__ import annotations

from argparse import ArgumentTypeError
from pathlib import Path
from typing import TYPE_CHECKING

from ...topology.fault import lines
from ...topology.kind import Engine, Kind
from ...topology.properties import parse
from ...topology.settings import check
from ...topology.tls import FILE_KEYS, TlsSettings
from ..tls_files import context_of
from .command import CommandError, UsageError, boolean

if TYPE_CHECKING:
    import ssl
    from collections.abc import Mapping

TLS_ENABLE = "TLS_ENABLE"
TLS_CONFIG_FILE = "TLS_CONFIG_FILE"


def tls_of(environment: Mapping[str, str]) -> ssl.SSLContext | None:
    """None where nothing is to be encrypted. Raises UsageError, CommandError, or ValueError for a certificate that
    cannot be used."""
    try:
        is_enabled = boolean(environment.get(TLS_ENABLE, "") or "false")
    except ArgumentTypeError as error:
        raise UsageError(f"{TLS_ENABLE}: {error}") from None
    if not is_enabled:
        return None
    return context_of(_settings(environment.get(TLS_CONFIG_FILE, "")).client)


def _settings(file: str) -> TlsSettings:
    if not file:
        return TlsSettings.from_settings({})
    try:
        parsed = parse(Path(file).read_bytes(), file)
    except OSError as error:
        raise CommandError(f"{file} cannot be read: {error.strerror}") from None
    mine = tuple(one for one in parsed.settings if one.key in FILE_KEYS)
    checked = check(mine, engine=Engine.PYTHON, kind=Kind.BROKER)
    faults = (*parsed.faults, *checked.faults)
    if faults:
        raise CommandError("; ".join(lines(faults)))
    return TlsSettings.from_settings(checked.values)
