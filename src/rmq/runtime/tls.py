# SPDX-License-Identifier: Apache-2.0
"""Certificates and keys, loaded: what `rmq.env`'s ListenerTls and OutboundTls are here.

A server's files are looked at again from time to time (Apache watches them too): connections that begin after a
change show the new certificate, those that are open live on. Files that do not fit together, as in the moment between
the two halves of a renewal, leave the old certificate in force.
"""

from __future__ import annotations

import os
import ssl
from dataclasses import dataclass

# Java 8 speaks 1.2; older ones are broken.
OLDEST_VERSION = ssl.TLSVersion.TLSv1_2


class TlsFileError(Exception):
    """A certificate or key cannot be used; the text names the setting's file and the cause, never its content."""


@dataclass(frozen=True)
class CertificateFiles:
    """A certificate chain and its key in PEM. trust_path: who signs the other side's certificates; empty where no
    certificate is asked for."""

    cert_path: str
    key_path: str
    key_password: str = ""
    trust_path: str = ""


class ServerCertificate:
    """`rmq.env.ListenerTls`. Raises TlsFileError when it is made from files that do not serve."""

    def __init__(self, files: CertificateFiles, *, is_required: bool, client_auth: ssl.VerifyMode) -> None:
        self._files = files
        self._is_required = is_required
        self._client_auth = client_auth
        self._stamp = self._look()
        self.context = self._load()

    @property
    def is_required(self) -> bool:
        return self._is_required

    def reload_if_changed(self) -> bool:
        """Blocking. True when a new certificate is in force. Raises TlsFileError, once for each change, when what is
        there now does not serve: the old one stays in force."""
        stamp = self._look()
        if stamp == self._stamp:
            return False
        self._stamp = stamp
        self.context = self._load()
        return True

    def _load(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = OLDEST_VERSION
        context.options |= ssl.OP_NO_RENEGOTIATION
        load_identity(context, self._files)
        if self._files.trust_path:
            load_trust(context, self._files.trust_path)
        context.verify_mode = self._client_auth
        return context

    def _look(self) -> tuple[object, ...]:
        return tuple(_stamp(path) for path in (self._files.cert_path, self._files.key_path, self._files.trust_path))


@dataclass(frozen=True)
class OutboundContext:
    """`rmq.env.OutboundTls`."""

    context: ssl.SSLContext

    @property
    def checks_server(self) -> bool:
        return self.context.verify_mode is ssl.CERT_REQUIRED


def load_identity(context: ssl.SSLContext, files: CertificateFiles) -> None:
    """Raises TlsFileError."""
    for path in (files.cert_path, files.key_path):
        _check_readable(path)
    try:
        # A function, so that OpenSSL never asks for a password at a terminal.
        context.load_cert_chain(files.cert_path, files.key_path, password=lambda: files.key_password)
    except (OSError, ValueError) as error:
        raise TlsFileError(
            f"{files.cert_path} and {files.key_path} are no certificate with its key: {_why(error)}"
        ) from None


def load_trust(context: ssl.SSLContext, path: str) -> None:
    """Raises TlsFileError."""
    _check_readable(path)
    try:
        context.load_verify_locations(path)
    except (OSError, ValueError) as error:
        raise TlsFileError(f"{path} holds no certificates in PEM") from error


def is_open_to_others(path: str) -> bool:
    """Whether a private key's file can be read by more than its owner and group."""
    try:
        return bool(os.stat(path).st_mode & 0o007)  # noqa: PTH116
    except OSError:
        return False


def _check_readable(path: str) -> None:
    try:
        os.close(os.open(path, os.O_RDONLY))
    except OSError as error:
        raise TlsFileError(f"{path} cannot be read: {error.strerror}") from None


def _stamp(path: str) -> object:
    try:
        found = os.stat(path)  # noqa: PTH116
    except OSError as error:
        return error.errno
    return found.st_mtime_ns, found.st_size, found.st_ino


def _why(error: Exception) -> str:
    """OpenSSL tells a wrong password and a file of something else by the same word, "PEM lib"."""
    if isinstance(error, ssl.SSLError) and error.reason == "KEY_VALUES_MISMATCH":
        return "they do not belong together"
    return "one is no PEM file, or the key is encrypted with another password"
