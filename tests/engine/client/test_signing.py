# SPDX-License-Identifier: Apache-2.0
"""Our client and our mqadmin name a user and sign for him."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from rmq.cli.mqadmin.tools_file import tools_credentials
from rmq.client.connections import Connections
from rmq.client.remoting_client import RemotingClient
from rmq.remoting.codes import RequestCode, ResponseCode
from rmq.remoting.command import RemotingCommand
from rmq.remoting.signature import SessionCredentials, is_signed_by

if TYPE_CHECKING:
    from pathlib import Path

ADMIN = SessionCredentials("admin", "secret-canary", "token")


class Wire(RemotingClient):
    """Keeps what would be sent, and answers it."""

    def __init__(self, credentials: SessionCredentials | None) -> None:
        super().__init__("127.0.0.1:1", credentials=credentials)
        self.sent = b""

    def _send(self, data: bytes, deadline: float) -> None:
        del deadline
        self.sent += data

    def _receive(self, window: object, answers: dict[int, RemotingCommand], deadline: float) -> None:
        del deadline
        assert isinstance(window, list)
        answers.update({command.opaque: command.response(ResponseCode.SUCCESS) for command in window})


def test_every_request_is_signed_and_one_way_requests_too() -> None:
    client = Wire(ADMIN)
    request = RemotingCommand.request(RequestCode.GET_TOPIC_CONFIG, {"topic": "T"}, b"body")
    client.invoke(request)
    oneway = RemotingCommand.request(RequestCode.HEART_BEAT, oneway=True)
    client.oneway(oneway)
    for command in (request, oneway):
        assert is_signed_by(command, ADMIN.secret_key)
        assert command.ext_fields["AccessKey"] == "admin"
        assert command.ext_fields["SecurityToken"] == "token"
    assert b"canary" not in client.sent


def test_client_without_credentials_adds_nothing() -> None:
    client = Wire(None)
    request = RemotingCommand.request(RequestCode.GET_TOPIC_CONFIG, {"topic": "T"})
    client.invoke(request)
    assert request.ext_fields == {"topic": "T"}


def test_connections_pass_their_credentials_on() -> None:
    client = Connections(credentials=ADMIN).to("127.0.0.1:1")
    assert vars(client)["_credentials"] is ADMIN


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("accessKey: admin\nsecretKey: 12345678\n", SessionCredentials("admin", "12345678")),
        ("# by hand\nsecretKey: 'a # b'\naccessKey: \"x\"  \n", SessionCredentials("x", "a # b")),
        ("accessKey: a # who\nsecretKey: b#c\nsecurityToken: t\n", SessionCredentials("a", "b#c", "t")),
        ("accessKey: admin\n", None),
        ("accessKey:\nsecretKey:\n", None),
        ("other: x\n  accessKey: nested\n", None),
    ],
)
def test_tools_file_is_read_as_apaches(
    text: str, expected: SessionCredentials | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROCKETMQ_HOME", str(tmp_path))
    assert tools_credentials() is None
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf" / "tools.yml").write_text(text)
    assert tools_credentials() == expected


def test_tools_file_that_cannot_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROCKETMQ_HOME", str(tmp_path))
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf" / "tools.yml").write_bytes(b"accessKey: \xff canary")
    with pytest.raises(ValueError, match=r"tools\.yml cannot be read: UnicodeDecodeError$"):
        tools_credentials()
