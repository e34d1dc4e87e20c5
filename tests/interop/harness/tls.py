# SPDX-License-Identifier: Apache-2.0
"""Certificates of a cluster, and how servers and Apache's programs are told of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.engine.certificates import Authority, Certificate

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class ServerTls:
    """One certificate for all servers of a cluster."""

    mode: str
    mine: Certificate
    trust: Path

    @classmethod
    def make(cls, directory: Path, mode: str) -> ServerTls:
        authority = Authority(directory)
        return cls(mode, authority.sign("server"), authority.trust)

    def properties(self) -> dict[str, str]:
        """The names are Apache's; its servers take them as system properties."""
        return {
            "tls.server.mode": self.mode,
            "tls.server.certPath": str(self.mine.cert),
            "tls.server.keyPath": str(self.mine.key),
            **_trusting(self.trust),
        }

    def client_options(self) -> tuple[str, ...]:
        """For the JVM of a client or of mqadmin."""
        return (*java_properties(_trusting(self.trust)), "-Dtls.enable=true")


def _trusting(trust: Path) -> dict[str, str]:
    return {
        "tls.test.mode.enable": "false",
        "tls.client.authServer": "true",
        "tls.client.trustCertPath": str(trust),
    }


def java_properties(values: dict[str, str]) -> tuple[str, ...]:
    return tuple(f"-D{key}={value}" for key, value in values.items())
