# SPDX-License-Identifier: Apache-2.0
"""TLS on real sockets: modes of a listener, what a handshake may do, certificates that change."""

from __future__ import annotations

import shutil
import socket
import ssl
import threading
from typing import TYPE_CHECKING

import pytest
from tests.engine.certificates import Authority, Certificate

from rmq.client.tls import client_context
from rmq.env import HandshakeFailed
from rmq.runtime import AsyncioReactor, tls_connection
from rmq.runtime.tls import CertificateFiles, OutboundContext, ServerCertificate, TlsFileError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from rmq.env import Connection

DEADLINE_MS = 20_000


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def mine(authority: Authority) -> Certificate:
    return authority.sign("server")


@pytest.fixture
def reactor() -> Iterator[AsyncioReactor]:
    with AsyncioReactor() as reactor:
        yield reactor


class Peer:
    """A handler that remembers what happens to it, and echoes where it is told to."""

    def __init__(self, *, echoes: bool = False) -> None:
        self.connection: Connection | None = None
        self.received = bytearray()
        self.lost: list[Exception | None] = []
        self._echoes = echoes

    def connection_made(self, connection: Connection) -> None:
        self.connection = connection

    def data_received(self, data: bytes) -> None:
        self.received += data
        if self._echoes and self.connection is not None:
            self.connection.write(data)

    def connection_lost(self, reason: Exception | None) -> None:
        self.lost.append(reason)


class Server:
    def __init__(self, reactor: AsyncioReactor, tls: ServerCertificate | None, *, echoes: bool = True) -> None:
        self._echoes = echoes
        self.peers: list[Peer] = []
        self.address = reactor.listen("127.0.0.1", 0, self._make, tls=tls).address

    def _make(self) -> Peer:
        self.peers.append(Peer(echoes=self._echoes))
        return self.peers[-1]


def certificate(mine: Certificate, *, is_required: bool = False, trust: Path | None = None) -> ServerCertificate:
    files = CertificateFiles(str(mine.cert), str(mine.key), trust_path=str(trust or ""))
    return ServerCertificate(files, is_required=is_required, client_auth=ssl.CERT_REQUIRED if trust else ssl.CERT_NONE)


def outbound(trust: Path | None = None, mine: Certificate | None = None) -> OutboundContext:
    shown = (str(mine.cert), str(mine.key)) if mine else ("", "")
    return OutboundContext(client_context(cert_path=shown[0], key_path=shown[1], trust_path=str(trust or "")))


def until(reactor: AsyncioReactor, condition: Callable[[], object]) -> None:
    late = reactor.call_later(DEADLINE_MS, reactor.stop)

    def look() -> None:
        if condition():
            reactor.stop()
        else:
            reactor.call_later(1, look)

    look()
    reactor.run()
    late.cancel()
    assert condition()


def connect(reactor: AsyncioReactor, server: Server, tls: OutboundContext | None) -> tuple[Peer, list[OSError]]:
    """Opened, or failed."""
    client, errors = Peer(), list[OSError]()
    reactor.connect(*server.address, client, timeout_ms=10_000, failed=errors.append, tls=tls)
    until(reactor, lambda: client.connection or errors)
    return client, errors


def echoed(reactor: AsyncioReactor, client: Peer, data: bytes) -> bool:
    assert client.connection is not None
    client.connection.write(data)
    until(reactor, lambda: len(client.received) >= len(data) or client.lost)
    return bytes(client.received) == data


def test_permissive_listener_serves_both_kinds_on_one_port(
    reactor: AsyncioReactor, authority: Authority, mine: Certificate
) -> None:
    server = Server(reactor, certificate(mine))
    data = bytes(range(256)) * 8192
    for tls in (None, outbound(authority.trust)):
        client, errors = connect(reactor, server, tls)
        assert errors == []
        assert echoed(reactor, client, data)


def test_enforcing_listener_closes_plain_connections_and_says_why(
    reactor: AsyncioReactor, authority: Authority, mine: Certificate
) -> None:
    server = Server(reactor, certificate(mine, is_required=True))
    client, _ = connect(reactor, server, None)
    assert not echoed(reactor, client, b"\x00\x00\x00\x10plain words")
    until(reactor, lambda: server.peers[0].lost)
    assert isinstance(server.peers[0].lost[0], HandshakeFailed)
    assert "enforcing" in str(server.peers[0].lost[0])
    assert not server.peers[0].received
    client, _ = connect(reactor, server, outbound(authority.trust))
    assert echoed(reactor, client, b"secret words")


def test_nothing_readable_goes_over_the_wire(reactor: AsyncioReactor, authority: Authority, mine: Certificate) -> None:
    server = Server(reactor, certificate(mine))
    seen = bytearray()
    relay = Relay(server.address, seen)
    client, errors = Peer(), list[OSError]()
    reactor.connect(*relay.address, client, timeout_ms=10_000, failed=errors.append, tls=outbound(authority.trust))
    until(reactor, lambda: client.connection or errors)
    assert errors == []
    assert echoed(reactor, client, b"secret words" * 100)
    relay.close()
    assert len(seen) > 1200
    assert b"secret words" not in seen


def test_server_that_is_not_trusted_is_an_error_that_says_so(
    reactor: AsyncioReactor, mine: Certificate, tmp_path: Path
) -> None:
    server = Server(reactor, certificate(mine))
    client, (error,) = connect(reactor, server, outbound(Authority(tmp_path, "stranger").trust))
    assert client.connection is None
    assert "no connection to 127.0.0.1" in str(error.strerror)
    assert "unable to get local issuer certificate" in str(error.strerror)
    until(reactor, lambda: server.peers[0].lost)
    assert isinstance(server.peers[0].lost[0], HandshakeFailed)


def test_server_without_tls_is_an_error_and_not_a_hang(reactor: AsyncioReactor) -> None:
    server = Server(reactor, None)
    _, (error,) = connect(reactor, server, outbound())
    assert "no connection to 127.0.0.1" in str(error.strerror)


def test_client_without_a_trusted_certificate_is_refused_where_one_is_required(
    reactor: AsyncioReactor, authority: Authority, mine: Certificate, tmp_path: Path
) -> None:
    server = Server(reactor, certificate(mine, trust=authority.trust))
    shown = outbound(authority.trust, authority.sign("client"))
    client, errors = connect(reactor, server, shown)
    assert errors == []
    assert echoed(reactor, client, b"known")
    for wrong in (outbound(), outbound(mine=Authority(tmp_path, "stranger").sign("client"))):
        # In TLS 1.3 a client has finished its half before the server looks at the certificate.
        client, errors = connect(reactor, server, wrong)
        assert errors or not echoed(reactor, client, b"unknown")
        until(reactor, lambda: server.peers[-1].lost)
        assert isinstance(server.peers[-1].lost[0], HandshakeFailed)


def test_handshake_has_a_deadline(reactor: AsyncioReactor, mine: Certificate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tls_connection, "HANDSHAKE_TIMEOUT_S", 0.05)
    server = Server(reactor, certificate(mine))
    with socket.create_connection(server.address) as silent:
        silent.sendall(b"\x16\x03\x01")
        until(reactor, lambda: server.peers and server.peers[0].lost)
    assert "no TLS handshake within" in str(server.peers[0].lost[0])


@pytest.mark.parametrize("rest", [b"", bytes(600), b"\x03\x01\xff\xff" + bytes(70_000)])
def test_what_only_begins_like_a_handshake_ends_the_connection(
    reactor: AsyncioReactor, mine: Certificate, rest: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tls_connection, "HANDSHAKE_TIMEOUT_S", 0.2)
    server = Server(reactor, certificate(mine))
    with socket.create_connection(server.address) as noisy:
        noisy.sendall(b"\x16" + rest)
        until(reactor, lambda: server.peers and server.peers[0].lost)
    assert isinstance(server.peers[0].lost[0], HandshakeFailed)
    assert not server.peers[0].received


def test_broken_record_after_the_handshake_ends_the_connection(
    reactor: AsyncioReactor, authority: Authority, mine: Certificate
) -> None:
    server = Server(reactor, certificate(mine))
    seen = bytearray()
    relay = Relay(server.address, seen)
    client, errors = Peer(), list[OSError]()
    reactor.connect(*relay.address, client, timeout_ms=10_000, failed=errors.append, tls=outbound(authority.trust))
    until(reactor, lambda: client.connection or errors)
    assert echoed(reactor, client, b"fine")
    relay.inject(b"\x17\x03\x03\x00\x20" + bytes(32))
    until(reactor, lambda: server.peers[0].lost)
    assert bytes(server.peers[0].received) == b"fine"
    relay.close()


def test_close_sends_what_was_written_and_says_goodbye(
    reactor: AsyncioReactor, authority: Authority, mine: Certificate
) -> None:
    server = Server(reactor, certificate(mine), echoes=False)
    client, _ = connect(reactor, server, outbound(authority.trust))
    until(reactor, lambda: server.peers[0].connection)
    assert server.peers[0].connection is not None
    assert client.connection is not None
    data = bytes(4 << 20)
    client.connection.write(data)
    client.connection.close()
    until(reactor, lambda: server.peers[0].lost)
    assert len(server.peers[0].received) == len(data)
    assert server.peers[0].lost == [None]


def test_slow_reader_shows_in_unsent_bytes_and_drains(
    reactor: AsyncioReactor, authority: Authority, mine: Certificate
) -> None:
    server = Server(reactor, certificate(mine))
    client, _ = connect(reactor, server, outbound(authority.trust))
    assert echoed(reactor, client, b"x")
    assert client.connection is not None
    there = server.peers[0].connection
    assert there is not None
    client.connection.pause_reading()
    there.write(bytes(32 << 20))
    assert there.unsent_bytes > 8 << 20
    drained: list[bool] = []
    there.when_drained(lambda: drained.append(True))
    client.connection.resume_reading()
    until(reactor, lambda: drained)
    assert there.unsent_bytes == 0


def test_changed_certificate_is_shown_to_new_connections_and_a_broken_one_is_not(
    reactor: AsyncioReactor, authority: Authority, tmp_path: Path
) -> None:
    shown = Certificate(tmp_path / "cert.pem", tmp_path / "key.pem")

    def put(new: Certificate) -> None:
        shutil.copy(new.cert, shown.cert)
        shutil.copy(new.key, shown.key)

    put(authority.sign("first"))
    tls = certificate(shown)
    server = Server(reactor, tls)
    old, _ = connect(reactor, server, outbound(authority.trust))
    assert not tls.reload_if_changed()
    # Half of a renewal: certificate and key do not fit, said once.
    shown.cert.write_bytes(authority.sign("second").cert.read_bytes())
    with pytest.raises(TlsFileError, match="they do not belong together"):
        tls.reload_if_changed()
    assert not tls.reload_if_changed()
    assert connect(reactor, server, outbound(authority.trust))[1] == []
    other = Authority(tmp_path / "other", "other")
    put(other.sign("third"))
    assert tls.reload_if_changed()
    assert connect(reactor, server, outbound(other.trust))[1] == []
    assert connect(reactor, server, outbound(authority.trust))[1] != []
    assert echoed(reactor, old, b"still here")


def test_files_that_do_not_serve_are_named_and_no_password_is(authority: Authority, tmp_path: Path) -> None:
    hidden = authority.sign("hidden", password="swordfish")
    good = ServerCertificate(
        CertificateFiles(str(hidden.cert), str(hidden.key), "swordfish"), is_required=True, client_auth=ssl.CERT_NONE
    )
    assert good.is_required
    (tmp_path / "nonsense.pem").write_text("no certificate\n")
    wrong = [
        (CertificateFiles(str(hidden.cert), str(hidden.key), "sardine"), "hidden.key.*another password"),
        (CertificateFiles(str(tmp_path / "none.pem"), str(hidden.key)), "none.pem cannot be read: No such file"),
        (CertificateFiles(str(tmp_path / "nonsense.pem"), str(hidden.key), "swordfish"), "nonsense.pem"),
        (
            CertificateFiles(str(hidden.cert), str(hidden.key), "swordfish", str(tmp_path / "nonsense.pem")),
            "nonsense.pem holds no certificates",
        ),
    ]
    for files, text in wrong:
        with pytest.raises(TlsFileError, match=text) as caught:
            ServerCertificate(files, is_required=False, client_auth=ssl.CERT_NONE)
        assert "swordfish" not in str(caught.value)
        assert "sardine" not in str(caught.value)


class Relay:
    """Between a client and a server: notes what passes, and can add to it."""

    def __init__(self, target: tuple[str, int], seen: bytearray) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address: tuple[str, int] = self._listener.getsockname()
        self._seen = seen
        self._there = socket.create_connection(target)
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def inject(self, data: bytes) -> None:
        self._there.sendall(data)

    def close(self) -> None:
        for end in (self._here, self._there):
            end.close()
        self._listener.close()

    def _accept(self) -> None:
        self._here, _ = self._listener.accept()
        for source, target in ((self._here, self._there), (self._there, self._here)):
            threading.Thread(target=self._pump, args=(source, target), daemon=True).start()

    def _pump(self, source: socket.socket, target: socket.socket) -> None:
        try:
            while data := source.recv(65536):
                self._seen += data
                target.sendall(data)
        except OSError:
            pass
