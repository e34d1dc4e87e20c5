# SPDX-License-Identifier: Apache-2.0
"""TLS as an operator meets it: settings, start, mqadmin, renewal."""

from __future__ import annotations

import logging
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest
from tests.engine.certificates import Authority, Certificate
from tests.engine.cli.process import RMQ, Processes, free_port, wait_for
from tests.engine.fakes import FakeReactor

from rmq.cli.server_process import StartError
from rmq.cli.settings_file import read_settings
from rmq.cli.tls_files import LOOK_INTERVAL_MS, load_tls, watch
from rmq.topology.kind import Kind
from rmq.topology.properties import render
from rmq.topology.tls import TlsMode, TlsSettings

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def mine(authority: Authority) -> Certificate:
    return authority.sign("server")


def conf(path: Path, **sections: dict[str, str]) -> Path:
    path.write_text(render({key: value for section in sections.values() for key, value in section.items()}))
    return path


def serving(mine: Certificate, mode: str = "enforcing") -> dict[str, str]:
    return {
        "tls.server.mode": mode,
        "tls.server.certPath": str(mine.cert),
        "tls.server.keyPath": str(mine.key),
    }


def mqadmin(run: Processes, namesrv_port: int, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*RMQ, "mqadmin", *arguments, "-n", f"127.0.0.1:{namesrv_port}"],
        env=run.environment() | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_servers_that_take_encrypted_calls_only_work_together_and_with_mqadmin(
    run: Processes, authority: Authority, mine: Certificate
) -> None:
    namesrv_port, port = free_port(), free_port()
    namesrv = {"listenPort": str(namesrv_port), "bindAddress": "127.0.0.1"}
    broker = {
        "brokerName": "broker-a",
        "listenPort": str(port),
        "bindAddress": "127.0.0.1",
        "storePathRootDir": str(run.directory / "store"),
        "mappedFileSizeCommitLog": "1048576",
        "useTLS": "true",
        "tls.client.trustCertPath": str(authority.trust),
    }
    run.rmq("mqnamesrv", "-c", conf(run.directory / "n.conf", a=namesrv, b=serving(mine))).wait_line("boot success")
    file = conf(run.directory / "b.conf", a=broker, b=serving(mine))
    run.rmq("mqbroker", "-n", f"127.0.0.1:{namesrv_port}", "-c", file).wait_line("boot success")
    trusting = conf(run.directory / "tls.properties", a={"tls.client.trustCertPath": str(authority.trust)})
    encrypted = {"TLS_ENABLE": "true", "TLS_CONFIG_FILE": str(trusting)}
    wait_for(
        "registration",
        lambda: f"127.0.0.1:{port}" in mqadmin(run, namesrv_port, "clusterList", **encrypted).stdout,
    )
    config = mqadmin(run, namesrv_port, "getBrokerConfig", "-b", f"127.0.0.1:{port}", **encrypted)
    assert "enforcing" in config.stdout
    plain = mqadmin(run, namesrv_port, "clusterList")
    assert (plain.returncode, plain.stdout) == (1, "")
    stranger = Authority(run.directory / "stranger")
    distrusting = conf(run.directory / "other.properties", a={"tls.client.trustCertPath": str(stranger.trust)})
    refused = mqadmin(run, namesrv_port, "clusterList", TLS_ENABLE="true", TLS_CONFIG_FILE=str(distrusting))
    assert "its certificate is not trusted" in refused.stderr
    log = (run.directory / "logs" / "rocketmqlogs" / "namesrv.log").read_text()
    assert "it does not begin with a TLS handshake" in log


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"tls.server.mode": "enforcing"}, "Set tls.server.certPath and tls.server.keyPath"),
        ({"tls.server.mode": "enforce"}, "Write tls.server.mode=enforcing"),
        ({"tls.server.certpath": "/x"}, "Write tls.server.certPath"),
        ({"tls.server.certPath": "x.pem", "tls.server.keyPath": "/x"}, "an absolute path"),
        ({"tls.server.certPath": "/x"}, "Set tls.server.keyPath too"),
        ({"tls.server.mode": "permissive", "tls.test.mode.enable": "true"}, "Write tls.test.mode.enable=false"),
        ({"tls.server.need.client.auth": "require"}, "Set tls.server.trustCertPath"),
        ({"tls.client.authServer": "true"}, "Set tls.client.trustCertPath"),
        ({"tls.server.keyPassword": "swordfish "}, "Write it without them"),
    ],
)
def test_wrong_setting_is_named_with_its_mend_and_no_secret(
    wrong: dict[str, str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = conf(tmp_path / "broker.conf", a=wrong)
    with pytest.raises(StartError) as caught:
        read_settings(Kind.BROKER, str(file), {})
    text = str(caught.value) + capsys.readouterr().err
    assert said in text
    assert "swordfish" not in text


def test_name_server_refuses_the_key_that_encrypts_calls_it_never_makes(tmp_path: Path) -> None:
    with pytest.raises(StartError, match=r"a name server calls nobody; tls\.server\.mode"):
        read_settings(Kind.NAMESRV, str(conf(tmp_path / "n.conf", a={"useTLS": "true"})), {})


def test_tls_config_file_wins_over_what_stands_beside_it_as_on_apache(tmp_path: Path) -> None:
    file = conf(tmp_path / "tls.properties", a={"tls.server.certPath": "/theirs.pem", "tls.server.keyPath": "/k"})
    outer = conf(
        tmp_path / "broker.conf",
        a={
            "tls.config.file": str(file),
            "tls.server.mode": "permissive",
            "tls.server.certPath": "/ours.pem",
            "tls.client.trustCertPath": "/trust.pem",
        },
    )
    found = TlsSettings.from_settings(read_settings(Kind.BROKER, str(outer), {}))
    assert (found.mode, found.server.cert_path) == (TlsMode.PERMISSIVE, "/theirs.pem")
    assert found.client.trust_path == "/trust.pem"
    conf(file, a={"tls.server.mode": "enforcing"})
    with pytest.raises(StartError, match=r"but not tls\.server\.mode"):
        read_settings(Kind.BROKER, str(outer), {})
    file.unlink()
    with pytest.raises(StartError, match=r"tls\.properties cannot be read"):
        read_settings(Kind.BROKER, str(outer), {})


def test_certificate_that_cannot_be_used_fails_the_start(mine: Certificate, tmp_path: Path) -> None:
    with pytest.raises(StartError, match=r"TLS: .*none\.pem cannot be read: No such file"):
        load_tls({**serving(mine), "tls.server.certPath": str(tmp_path / "none.pem")})
    with pytest.raises(StartError, match=r"TLS: .*none\.pem cannot be read: No such file"):
        load_tls({"useTLS": True, "tls.client.trustCertPath": str(tmp_path / "none.pem")})


def test_what_weakens_encryption_is_said_once_at_the_start(
    authority: Authority, mine: Certificate, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    load_tls({"useTLS": True, "tls.client.trustCertPath": str(authority.trust)})
    assert caplog.messages == []
    load_tls({"useTLS": True})
    shutil.copy(mine.key, tmp_path / "open.key")
    (tmp_path / "open.key").chmod(0o644)
    load_tls({**serving(mine), "tls.server.keyPath": str(tmp_path / "open.key")})
    first, second = caplog.messages
    assert "anybody is believed" in first
    assert "open.key can be read by every user" in second


def test_renewed_certificate_comes_into_force_by_itself(
    authority: Authority, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shown = Certificate(tmp_path / "cert.pem", tmp_path / "key.pem")
    first, second = authority.sign("first"), authority.sign("second")
    shutil.copy(first.cert, shown.cert)
    shutil.copy(first.key, shown.key)
    tls, reactor = load_tls(dict(serving(shown))), FakeReactor()
    assert tls.server is not None
    old = tls.server.context
    watch(reactor, tls)
    with caplog.at_level(logging.INFO, "rmq.cli"):
        reactor.run_for(3 * LOOK_INTERVAL_MS)
        shown.cert.write_bytes(second.cert.read_bytes())
        reactor.run_for(3 * LOOK_INTERVAL_MS)
        assert tls.server.context is old
        shown.key.write_bytes(second.key.read_bytes())
        reactor.run_for(LOOK_INTERVAL_MS)
    assert tls.server.context is not old
    assert [message.split(":")[0] for message in caplog.messages] == [
        "the certificate has changed and cannot be used, the old one stays in force",
        "the certificate has changed",
    ]
