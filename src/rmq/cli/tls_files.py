# SPDX-License-Identifier: Apache-2.0
"""From TLS settings to loaded certificates, and the look at them from time to time."""

from __future__ import annotations

import logging
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..client.tls import TlsFileError as ClientFileError
from ..client.tls import client_context
from ..runtime.tls import CertificateFiles, OutboundContext, ServerCertificate, TlsFileError, is_open_to_others
from ..topology.tls import TlsMode, TlsSettings
from .server_process import StartError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..env import Reactor
    from ..topology.settings import Value
    from ..topology.tls import TlsSide

# A renewed certificate is in use within this long. Apache looks twice a second; renewals come weeks ahead.
LOOK_INTERVAL_MS = 5_000

_CLIENT_AUTH = {"none": ssl.CERT_NONE, "optional": ssl.CERT_OPTIONAL, "require": ssl.CERT_REQUIRED}

_log = logging.getLogger("rmq.cli")


@dataclass(frozen=True)
class Tls:
    """What a server listens with and calls others with; None: unencrypted."""

    server: ServerCertificate | None
    outbound: OutboundContext | None


def load_tls(settings: Mapping[str, Value]) -> Tls:
    """Blocking. Raises StartError that names the file which cannot be used."""
    wanted = TlsSettings.from_settings(settings)
    server = outbound = None
    try:
        if wanted.mode is not TlsMode.DISABLED:
            server = ServerCertificate(
                _files(wanted.server),
                is_required=wanted.mode is TlsMode.ENFORCING,
                client_auth=_CLIENT_AUTH[wanted.client_auth],
            )
        if wanted.use_tls:
            outbound = OutboundContext(context_of(wanted.client))
    except (TlsFileError, ClientFileError) as error:
        raise StartError(f"TLS: {error}") from None
    if outbound is not None and not outbound.checks_server:
        _log.warning(
            "calls to other servers are encrypted, but anybody is believed to be one: set tls.client.trustCertPath"
        )
    if server is not None and is_open_to_others(wanted.server.key_path):
        _log.warning("%s can be read by every user of this machine", wanted.server.key_path)
    return Tls(server, outbound)


def watch(reactor: Reactor, tls: Tls) -> None:
    """Put a changed certificate in force, for as long as the reactor runs."""
    server = tls.server
    if server is None:
        return

    def looked(outcome: bool | BaseException) -> None:
        if isinstance(outcome, BaseException):
            _log.error("the certificate has changed and cannot be used, the old one stays in force: %s", outcome)
        elif outcome:
            _log.info("the certificate has changed: new connections see the new one")
        reactor.call_later(LOOK_INTERVAL_MS, look)

    def look() -> None:
        reactor.run_blocking(server.reload_if_changed, looked)

    reactor.call_later(LOOK_INTERVAL_MS, look)


def context_of(side: TlsSide) -> ssl.SSLContext:
    """What a client of ours encrypts with. Raises client.tls.TlsFileError."""
    return client_context(
        trust_path=side.trust_path,
        cert_path=side.cert_path,
        key_path=side.key_path,
        key_password=side.key_password,
    )


def _files(side: TlsSide) -> CertificateFiles:
    return CertificateFiles(side.cert_path, side.key_path, side.key_password, side.trust_path)
