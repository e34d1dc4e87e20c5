# SPDX-License-Identifier: Apache-2.0
"""TLS as settings say it: Apache's names (TlsSystemConfig), and the rules between them.

Apache reads them as JVM properties (``-Dtls.server.mode``) and from the file that ``tls.config.file`` names. Here they
are keys of broker.conf and of the name server's file, so that one file says all of a server, and are checked like all
others; a ``tls.config.file`` is read where it is set, and wins over them as on Apache. Where ours differ on purpose:

    setting                  Apache's default             ours
    tls.server.mode          permissive                   disabled: encryption is asked for
    tls.test.mode.enable     true: a certificate is       false: a server shows its own certificate, or none; true
                             made at each start           means only that servers we call are believed
    tls.client.authServer    false                        true where tls.client.trustCertPath is set
    tls.server.authClient    false: any is believed       true where tls.server.trustCertPath is set; what is asked for
                                                          is checked
    tls.config.file          /etc/rocketmq/tls.properties none
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Iterable, List, Mapping, Union

from .rule import Rule

if TYPE_CHECKING:
    from .fault import Fault
    from .properties import Setting

    Value = Union[str, int, float, bool]

CONFIG_FILE = "tls.config.file"
SERVER_MODE = "tls.server.mode"
TEST_MODE = "tls.test.mode.enable"
SERVER_CERT, SERVER_KEY = "tls.server.certPath", "tls.server.keyPath"
SERVER_TRUST, SERVER_ASKS = "tls.server.trustCertPath", "tls.server.need.client.auth"
CLIENT_CERT, CLIENT_KEY = "tls.client.certPath", "tls.client.keyPath"
CLIENT_TRUST, CLIENT_CHECKS = "tls.client.trustCertPath", "tls.client.authServer"
SERVER_CHECKS = "tls.server.authClient"
USE_TLS = "useTLS"

# What a tls.config.file may hold: all but the two that say whether TLS is spoken at all (source: TlsSystemConfig).
FILE_KEYS = frozenset(
    (
        TEST_MODE,
        SERVER_CERT,
        SERVER_KEY,
        "tls.server.keyPassword",
        SERVER_TRUST,
        SERVER_ASKS,
        SERVER_CHECKS,
        CLIENT_CERT,
        CLIENT_KEY,
        "tls.client.keyPassword",
        CLIENT_TRUST,
        CLIENT_CHECKS,
    )
)


class TlsMode(str, Enum):
    """What a server makes of a connection that begins with a TLS handshake, and of one that does not."""

    DISABLED = "disabled"
    PERMISSIVE = "permissive"
    ENFORCING = "enforcing"


@dataclass(frozen=True)
class TlsSide:
    """One side's files: a certificate chain with its key, and whom it trusts; an empty path: none."""

    cert_path: str
    key_path: str
    key_password: str
    trust_path: str


@dataclass(frozen=True)
class TlsSettings:
    """``client_auth`` is none, optional or require. ``use_tls``: connections to other servers are encrypted."""

    mode: TlsMode
    client_auth: str
    server: TlsSide
    use_tls: bool
    client: TlsSide

    @classmethod
    def from_settings(cls, settings: Mapping[str, Value]) -> TlsSettings:
        """From checked settings; nothing is raised."""

        def text(key: str) -> str:
            return str(settings.get(key) or "")

        tests = settings.get(TEST_MODE) is True
        server_checks, client_checks = settings.get(SERVER_CHECKS), settings.get(CLIENT_CHECKS)
        server_trust = "" if server_checks is False else text(SERVER_TRUST)
        client_trust = "" if tests or client_checks is False else text(CLIENT_TRUST)
        return cls(
            TlsMode(text(SERVER_MODE) or TlsMode.DISABLED.value),
            text(SERVER_ASKS) or "none",
            TlsSide(text(SERVER_CERT), text(SERVER_KEY), text("tls.server.keyPassword"), server_trust),
            settings.get(USE_TLS) is True,
            TlsSide(text(CLIENT_CERT), text(CLIENT_KEY), text("tls.client.keyPassword"), client_trust),
        )


def faults(values: Mapping[str, Value], places: Mapping[str, Setting]) -> Iterable[Fault]:
    """The rules between the keys. Where a tls.config.file is still to be read, what it may hold is not missed."""
    found: List[Fault] = []
    mode = values.get(SERVER_MODE, TlsMode.DISABLED.value)
    is_whole = CONFIG_FILE not in values

    def is_set(key: str) -> bool:
        return key in places and bool(places[key].value)

    def add(rule: Rule, anchor: str, mend: str, **details: object) -> None:
        setting = places[anchor]
        found.append(rule.fault(setting.place, setting.shown, mend, **details))

    if mode != TlsMode.DISABLED.value:
        if values.get(TEST_MODE) is True:
            add(Rule.TLS_CERTIFICATE, TEST_MODE, f"Write {TEST_MODE}=false and name a certificate in {SERVER_CERT}")
        elif is_whole and not (is_set(SERVER_CERT) and is_set(SERVER_KEY)):
            add(Rule.TLS_CERTIFICATE, SERVER_MODE, f"Set {SERVER_CERT} and {SERVER_KEY}, or {SERVER_MODE}=disabled")
    for cert, key in ((SERVER_CERT, SERVER_KEY), (CLIENT_CERT, CLIENT_KEY)):
        if is_whole and is_set(cert) != is_set(key):
            there, missing = (cert, key) if is_set(cert) else (key, cert)
            add(Rule.TLS_PAIR, there, f"Set {missing} too")
    asks = values.get(SERVER_ASKS, "none") != "none"
    if asks and is_whole and (not is_set(SERVER_TRUST) or values.get(SERVER_CHECKS) is False):
        mend = f"Set {SERVER_TRUST} and leave {SERVER_CHECKS} out, or write {SERVER_ASKS}=none"
        add(Rule.TLS_TRUST, SERVER_ASKS, mend, key=SERVER_TRUST)
    for checks, trust in ((SERVER_CHECKS, SERVER_TRUST), (CLIENT_CHECKS, CLIENT_TRUST)):
        if values.get(checks) is True and is_whole and not is_set(trust):
            add(Rule.TLS_TRUST, checks, f"Set {trust}, or write {checks}=false", key=trust)
    return found
