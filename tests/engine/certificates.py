# SPDX-License-Identifier: Apache-2.0
"""Certificates for tests: an authority and what it signs, made by the openssl program."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_CURVE = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256")


@dataclass(frozen=True)
class Certificate:
    cert: Path
    key: Path


class Authority:
    """`trust` is what believers in it are given."""

    def __init__(self, directory: Path, name: str = "authority") -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._directory = directory
        self.trust = directory / f"{name}.pem"
        self._key = directory / f"{name}.key"
        _openssl("req", "-x509", *_CURVE, "-nodes", "-days", "2", "-subj", f"/CN={name}",
                 "-keyout", self._key, "-out", self.trust)  # fmt: skip

    def sign(self, name: str, *, password: str = "") -> Certificate:
        """A certificate for 127.0.0.1. Its key is in PKCS#8, which Java reads too."""
        made = Certificate(self._directory / f"{name}.pem", self._directory / f"{name}.key")
        request, extension = self._directory / f"{name}.csr", self._directory / f"{name}.ext"
        extension.write_text("subjectAltName=IP:127.0.0.1\n")
        hidden = ("-passout", f"pass:{password}") if password else ("-nodes",)
        _openssl("req", *_CURVE, *hidden, "-subj", f"/CN={name}", "-keyout", made.key, "-out", request)
        _openssl("x509", "-req", "-in", request, "-CA", self.trust, "-CAkey", self._key, "-CAcreateserial",
                 "-days", "2", "-extfile", extension, "-out", made.cert)  # fmt: skip
        return made


def _openssl(*arguments: str | Path) -> None:
    done = subprocess.run(["openssl", *map(str, arguments)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
