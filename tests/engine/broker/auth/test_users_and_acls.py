# SPDX-License-Identifier: Apache-2.0
"""3001 to 3010 with Apache's bodies, codes and remarks."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.engine.broker.auth.harness import ADMIN, ALICE, SigningClient, protected

from rmq.remoting.codes import RequestCode, ResponseCode


@pytest.fixture
def admin() -> SigningClient:
    return SigningClient(protected(), ADMIN)


#: As Apache answers these codes: it leaves the remark that every answer begins with.
DONE = (0, "not set any response code")


def ask(admin: SigningClient, code: int, fields: dict[str, str], body: Any = None) -> tuple[int, str | None]:
    answer = admin.ask(code, fields, b"" if body is None else json.dumps(body).encode())
    return answer.code, answer.remark


def acl(resource: str = "Topic:T", **changes: Any) -> dict[str, Any]:
    entry = {"resource": resource, "actions": ["Pub"], "sourceIps": None, "decision": "Allow", **changes}
    return {"subject": "User:alice", "policies": [{"policyType": "Custom", "entries": [entry]}]}


def shown(admin: SigningClient) -> Any:
    return json.loads(admin.ok(RequestCode.AUTH_GET_ACL, {"subject": "User:alice"}).body)


# -- users


def test_user_is_created_changed_shown_and_deleted(admin: SigningClient) -> None:
    admin.create_user(ALICE)
    name = {"username": "alice"}
    user = {"username": "alice", "userType": "Normal", "userStatus": "enable"}
    assert json.loads(admin.ok(RequestCode.AUTH_GET_USER, name).body) == user
    assert ask(admin, RequestCode.AUTH_UPDATE_USER, name, {"userType": "Super", "userStatus": "disable"}) == DONE
    changed = {**user, "userType": "Super", "userStatus": "disable"}
    assert json.loads(admin.ok(RequestCode.AUTH_GET_USER, name).body) == changed
    users = json.loads(admin.ok(RequestCode.AUTH_LIST_USER).body)
    assert [item["username"] for item in users] == ["admin", "alice", "inner"]
    assert [item["username"] for item in json.loads(admin.ok(RequestCode.AUTH_LIST_USER, {"filter": "lic"}).body)] == [
        "alice"
    ]
    assert ask(admin, RequestCode.AUTH_DELETE_USER, name) == DONE
    assert admin.ok(RequestCode.AUTH_GET_USER, name).body == b""
    assert admin.ok(RequestCode.AUTH_LIST_USER, {"filter": "lic"}).body == b""
    assert ask(admin, RequestCode.AUTH_DELETE_USER, name) == DONE


@pytest.mark.parametrize(
    ("code", "fields", "body", "expected"),
    [
        (3001, {}, {}, (29, "The username is blank")),
        (3001, {"username": "admin"}, {"password": "x"}, (16, "The user is existed")),
        (3001, {"username": "bob"}, {"password": " "}, (16, "password can not be blank")),
        (3002, {"username": ""}, {}, (29, "The username is blank")),
        (3002, {"username": "bob"}, {"password": "x"}, (16, "The user is not exist")),
        (3003, {}, None, (16, "username can not be blank")),
        (3004, {}, None, (29, "The username is blank")),
    ],
)
def test_faults_of_users_are_answered_in_apaches_words(
    admin: SigningClient, code: int, fields: dict[str, str], body: Any, expected: tuple[int, str]
) -> None:
    assert ask(admin, code, fields, body) == expected


def test_user_without_a_password_is_refused_with_what_copyuser_has_to_know(admin: SigningClient) -> None:
    code, remark = ask(
        admin, RequestCode.AUTH_CREATE_USER, {"username": "bob"}, {"username": "bob", "userType": "Normal"}
    )
    assert (code, (remark or "")[:25]) == (16, "password can not be blank")
    assert "getUser and listUser do not give it out" in (remark or "")


@pytest.mark.parametrize("name", ["a" * 256, "line\nbreak", "\x00"])
def test_user_name_has_a_limit(admin: SigningClient, name: str) -> None:
    code, remark = ask(admin, RequestCode.AUTH_CREATE_USER, {"username": name}, {"password": "x"})
    assert (code, (remark or "")[:12]) == (16, "username has")


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"password":1}', b"\xff"])
def test_body_that_is_no_user_is_refused(admin: SigningClient, body: bytes) -> None:
    assert admin.ask(RequestCode.AUTH_CREATE_USER, {"username": "bob"}, body).code == ResponseCode.SYSTEM_ERROR


# -- access control lists


def test_acl_is_created_changed_shown_and_deleted(admin: SigningClient) -> None:
    admin.create_user(ALICE)
    subject = {"subject": "User:alice"}
    assert admin.ok(RequestCode.AUTH_GET_ACL, subject).body == b""
    assert ask(admin, 3006, subject, acl("Topic:T", actions=["pub", "SUB"], sourceIps=["10.0.0.1"])) == DONE
    assert ask(admin, 3006, subject, acl("Group:g*", decision="deny")) == DONE
    first = {"resource": "Topic:T", "actions": ["Pub", "Sub"], "sourceIps": ["10.0.0.1"], "decision": "Allow"}
    second = {"resource": "Group:g*", "actions": ["Pub"], "decision": "Deny"}
    assert shown(admin) == {"subject": "User:alice", "policies": [{"policyType": "Custom", "entries": [first, second]}]}
    assert ask(admin, 3007, subject, acl("Topic:T", actions=["All"])) == DONE
    third = {"resource": "Topic:T", "actions": ["All"], "decision": "Allow"}
    assert shown(admin)["policies"][0]["entries"] == [third, second]
    assert ask(admin, 3008, {**subject, "resource": "Topic:T"}) == DONE
    assert shown(admin)["policies"][0]["entries"] == [second]
    assert ask(admin, 3008, {**subject, "resource": "Group:g*", "policyType": "Custom"}) == DONE
    assert admin.ok(RequestCode.AUTH_GET_ACL, subject).body == b""
    assert ask(admin, 3008, subject) == (16, "The acl is not exist.")


def test_acls_are_listed_by_subject_and_by_resource(admin: SigningClient) -> None:
    admin.create_user(ALICE)
    admin.allow("Topic:T", "Pub")
    admin.allow("Group:g", "Sub")

    def listed(**filters: str) -> list[str]:
        body = admin.ok(RequestCode.AUTH_LIST_ACL, filters).body
        acls = json.loads(body) if body else []
        return [entry["resource"] for item in acls for policy in item["policies"] for entry in policy["entries"]]

    assert listed() == listed(subjectFilter="lic") == ["Topic:T", "Group:g"]
    assert listed(resourceFilter="Topic") == ["Topic:T"]
    assert listed(subjectFilter="bob") == listed(resourceFilter="Cluster") == []


def test_acl_goes_with_its_user(admin: SigningClient) -> None:
    admin.create_user(ALICE)
    admin.allow("Topic:T", "Pub")
    admin.ok(RequestCode.AUTH_DELETE_USER, {"username": "alice"})
    assert admin.ok(RequestCode.AUTH_LIST_ACL).body == b""
    admin.create_user(ALICE)
    assert admin.ok(RequestCode.AUTH_GET_ACL, {"subject": "User:alice"}).body == b""


@pytest.mark.parametrize(
    ("changes", "remark"),
    [
        ({"resource": None}, "The resource is null."),
        ({"resource": "Queue:T"}, "The resource is null."),
        ({"actions": []}, "The actions is empty."),
        ({"actions": ["Fly"]}, "The actions is empty."),
        ({"actions": ["Any"]}, "The actions can not be Any."),
        ({"sourceIps": [""]}, "The source ip is empty."),
        ({"sourceIps": ["10.0.0"]}, "The source ip is invalid."),
        ({"decision": None}, "The decision is null or illegal."),
        ({"decision": "Maybe"}, "The decision is null or illegal."),
    ],
)
def test_faults_of_policies_are_answered_in_apaches_words(
    admin: SigningClient, changes: dict[str, Any], remark: str
) -> None:
    admin.create_user(ALICE)
    body = acl()
    body["policies"][0]["entries"][0].update(changes)
    assert ask(admin, RequestCode.AUTH_CREATE_ACL, {"subject": "User:alice"}, body) == (16, remark)
    assert admin.ok(RequestCode.AUTH_GET_ACL, {"subject": "User:alice"}).body == b""


def test_acl_of_nobody_is_refused(admin: SigningClient) -> None:
    nobody = {"subject": "User:nobody"}
    assert ask(admin, 3006, nobody, {**acl(), "subject": "User:nobody"}) == (
        16,
        "The subject of User:nobody is not exist.",
    )
    assert ask(admin, 3008, nobody) == (16, "The subject is not exist.")
    assert ask(admin, 3009, nobody) == (16, "The subject is not exist.")
    assert ask(admin, 3008, {}) == (16, "The subject is null.")
    assert ask(admin, 3006, nobody, {}) == (1, "The body of acl is null")
    assert ask(admin, 3006, nobody, {"policies": [{"policyType": "Custom"}]}) == (16, "The policies is empty.")
    for subject in ({}, {"subject": "nobody"}, {"subject": "Role:nobody"}):
        assert ask(admin, 3006, subject, {**acl(), "subject": None}) == (1, "The subject is no User:name.")


def test_number_of_entries_has_a_limit(admin: SigningClient) -> None:
    admin.create_user(ALICE)
    entries = [acl(f"Topic:T{number}")["policies"][0]["entries"][0] for number in range(1001)]
    body = {"subject": "User:alice", "policies": [{"policyType": "Custom", "entries": entries}]}
    code, remark = ask(admin, 3006, {"subject": "User:alice"}, body)
    assert (code, remark) == (16, "a subject has 1000 policy entries at most")
