# SPDX-License-Identifier: Apache-2.0
"""A protected broker, and clients that sign."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.engine.broker.harness import Broker, Client

from rmq.remoting.codes import RequestCode, ResponseCode
from rmq.remoting.command import RemotingCommand
from rmq.remoting.signature import SessionCredentials, sign

if TYPE_CHECKING:
    from rmq.broker.broker_config import SettingValue

ADMIN = SessionCredentials("admin", "admin-secret-canary")
INNER = SessionCredentials("inner", "inner-secret-canary")
ALICE = SessionCredentials("alice", "alice-secret-canary")

PROTECTED: dict[str, SettingValue] = {
    "authenticationEnabled": True,
    "authorizationEnabled": True,
    "initAuthenticationUser": json.dumps({"username": ADMIN.access_key, "password": ADMIN.secret_key}),
    "innerClientAuthenticationCredentials": json.dumps({"accessKey": INNER.access_key, "secretKey": INNER.secret_key}),
}


def protected(**more: SettingValue) -> Broker:
    return Broker({**PROTECTED, **more})


class SigningClient(Client):
    """`credentials` None: a client that does not sign."""

    def __init__(self, broker: Broker, credentials: SessionCredentials | None, host: str = "10.0.0.9") -> None:
        super().__init__(broker, host)
        self.credentials = credentials

    def post(self, code: int, fields: dict[str, str] | None = None, body: bytes = b"") -> RemotingCommand:
        request = RemotingCommand.request(code, dict(fields or {}), body)
        if self.credentials is not None:
            sign(request, self.credentials)
        self.peer.send(request)
        return request

    def ask(self, code: int, fields: dict[str, str] | None = None, body: bytes = b"") -> RemotingCommand:
        """Waits: changes of users are answered when they are on the disk."""
        request = self.post(code, fields, body)
        self.world.run_until(lambda: self.answer_to(request) is not None)
        answer = self.answer_to(request)
        assert answer is not None
        return answer

    def refusal(self, code: int, fields: dict[str, str] | None = None, body: bytes = b"") -> str:
        """The remark of NO_PERMISSION."""
        answer = self.ask(code, fields, body)
        assert answer.code == ResponseCode.NO_PERMISSION, f"{answer.code} {answer.remark}"
        assert answer.remark is not None
        return answer.remark

    def create_user(self, credentials: SessionCredentials, **more: str) -> None:
        user = {"username": credentials.access_key, "password": credentials.secret_key, **more}
        self.ok(RequestCode.AUTH_CREATE_USER, {"username": credentials.access_key}, json.dumps(user).encode())

    def allow(
        self,
        resource: str,
        *actions: str,
        decision: str = "Allow",
        source_ips: tuple[str, ...] = (),
        who: SessionCredentials = ALICE,
        policy_type: str = "Custom",
    ) -> None:
        entry = {"resource": resource, "actions": actions, "sourceIps": source_ips or None, "decision": decision}
        subject = f"User:{who.access_key}"
        acl = {"subject": subject, "policies": [{"policyType": policy_type, "entries": [entry]}]}
        self.ok(RequestCode.AUTH_CREATE_ACL, {"subject": subject}, json.dumps(acl).encode())
