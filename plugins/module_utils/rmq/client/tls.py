# SPDX-License-Identifier: Apache-2.0
"""What a client encrypts its connections with."""

from __future__ import annotations

import os
import ssl


class TlsFileError(ValueError):
    """A certificate or key cannot be used; the text names the file and the cause, never its content."""


def client_context(
    *, trust_path: str = "", cert_path: str = "", key_path: str = "", key_password: str = ""
) -> ssl.SSLContext:
    """trust_path: who signs servers' certificates. Without it every server is believed, as Apache does by default: the
    words are hidden from listeners, not from somebody in between. cert_path and key_path: what is shown to a server
    that asks. All in PEM. Raises TlsFileError.

    The host's name is not compared with the certificate's, as on Apache: brokers register addresses, and a private
    authority vouches for its own.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.check_hostname = False
    context.verify_mode = ssl.CERT_REQUIRED if trust_path else ssl.CERT_NONE
    for path in filter(None, (trust_path, cert_path, key_path)):
        _check_readable(path)
    try:
        if trust_path:
            context.load_verify_locations(trust_path)
    except OSError:
        raise TlsFileError("%s holds no certificates in PEM" % trust_path) from None
    try:
        if cert_path:
            # A function, so that OpenSSL never asks for a password at a terminal.
            context.load_cert_chain(cert_path, key_path or None, password=lambda: key_password)
    except (OSError, ValueError):
        raise TlsFileError(
            "%s and %s are no certificate with its key in PEM, or the key's password is another" % (cert_path, key_path)
        ) from None
    return context


def _check_readable(path: str) -> None:
    try:
        os.close(os.open(path, os.O_RDONLY))
    except OSError as error:
        raise TlsFileError("%s cannot be read: %s" % (path, error.strerror)) from None
