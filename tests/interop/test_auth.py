# SPDX-License-Identifier: Apache-2.0
"""AUTH 2.0 on both engines: the same requests of official clients and tools end the same way.

What differs on purpose stands in differences.md, "Users and access control".
"""

from __future__ import annotations

import json
import re
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from .harness.client import ClientProcess, MqadminResult, mqadmin
from .harness.cluster import Cluster
from .harness.engine import ENGINES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from .harness.client import Event

ADMIN, ALICE, BOB = ("admin", "admin-secret"), ("alice", "alice-secret"), ("bob", "bob-secret")
CAROL, FRANK, GINA = ("carol", "carol-secret"), ("frank", "frank-secret"), ("gina", "gina-secret")
NOBODY, STRANGER = ("", ""), ("nobody", "x")
PACKAGE = "org.apache.rocketmq.auth"
SETTINGS = {
    "authenticationEnabled": "true",
    "authorizationEnabled": "true",
    "authenticationProvider": f"{PACKAGE}.authentication.provider.DefaultAuthenticationProvider",
    "authenticationMetadataProvider": f"{PACKAGE}.authentication.provider.LocalAuthenticationMetadataProvider",
    "authorizationProvider": f"{PACKAGE}.authorization.provider.DefaultAuthorizationProvider",
    "authorizationMetadataProvider": f"{PACKAGE}.authorization.provider.LocalAuthorizationMetadataProvider",
    "initAuthenticationUser": json.dumps({"username": ADMIN[0], "password": ADMIN[1]}),
    "innerClientAuthenticationCredentials": json.dumps({"accessKey": "inner", "secretKey": "inner-secret"}),
}


@dataclass(frozen=True)
class Call:
    name: str
    who: tuple[str, str]
    code: int
    fields: dict[str, str]
    body: str = ""

    def line(self) -> str:
        fields = " ".join(f"{key}={value}" for key, value in self.fields.items())
        return "\t".join((self.name, *self.who, str(self.code), fields, self.body))


def user(name: str, who: tuple[str, str], *, code: int = 3001, by: tuple[str, str] = ADMIN, **more: str) -> Call:
    return Call(name, by, code, {"username": who[0]}, json.dumps({"username": who[0], "password": who[1], **more}))


def acl(name: str, resource: str, *actions: str, code: int = 3006, by: tuple[str, str] = ADMIN, **more: object) -> Call:
    entry = {"resource": resource, "actions": actions, "sourceIps": None, "decision": "Allow", **more}
    policies = [{"policyType": "Custom", "entries": [entry]}]
    body = json.dumps({"subject": "User:alice", "policies": policies})
    return Call(name, by, code, {"subject": "User:alice"}, body)


def send(name: str, who: tuple[str, str], topic: str) -> Call:
    fields = {"a": "pg", "b": topic, "c": "TBW102", "d": "4", "e": "0", "f": "0", "g": "1795340464000", "h": "0"}
    return Call(name, who, 310, {**fields, "i": "", "j": "0", "k": "false", "m": "false"}, "hello")


def create(name: str, who: tuple[str, str], topic: str) -> Call:
    fields = {"topic": topic, "defaultTopic": "TBW102", "readQueueNums": "4", "writeQueueNums": "4", "perm": "6"}
    return Call(name, who, 17, {**fields, "topicFilterType": "SINGLE_TAG", "topicSysFlag": "0", "order": "false"})


def pull(name: str, who: tuple[str, str], topic: str, group: str) -> Call:
    fields = {"consumerGroup": group, "topic": topic, "queueId": "0", "queueOffset": "9", "maxMsgNums": "1"}
    fields |= {"sysFlag": "4", "commitOffset": "0", "suspendTimeoutMillis": "0", "subscription": "*", "subVersion": "1"}
    return Call(name, who, 11, {**fields, "expressionType": "TAG"})


def beat(name: str, who: tuple[str, str], *consumers: tuple[str, str]) -> Call:
    def data(group: str, topic: str) -> dict[str, object]:
        subscription = {"topic": topic, "subString": "*", "expressionType": "TAG", "subVersion": 1}
        more = {"consumeType": "CONSUME_PASSIVELY", "messageModel": "CLUSTERING"}
        more["consumeFromWhere"] = "CONSUME_FROM_LAST_OFFSET"
        return {"groupName": group, **more, "subscriptionDataSet": [subscription]}

    body = {"clientID": "c", "producerDataSet": [], "consumerDataSet": [data(*each) for each in consumers]}
    return Call(name, who, 34, {}, json.dumps(body))


def lock(name: str, who: tuple[str, str], topic: str, group: str) -> Call:
    queue = {"topic": topic, "brokerName": "broker-a", "queueId": 0}
    return Call(name, who, 41, {}, json.dumps({"consumerGroup": group, "clientId": "c", "mqSet": [queue]}))


RUNTIME, QUEUE = 28, {"topic": "T", "queueId": "0"}

CALLS = (
    # Who asks.
    Call("unsigned", NOBODY, RUNTIME, {}),
    Call("unsigned with fields", NOBODY, 30, QUEUE),
    Call("unknown user", STRANGER, RUNTIME, {}),
    Call("wrong secret", ("admin", "wrong"), RUNTIME, {}),
    Call("right secret", ADMIN, RUNTIME, {}),
    Call("access key alone", NOBODY, RUNTIME, {"AccessKey": "admin"}),
    Call("unknown code", NOBODY, 31000, {}),
    # Users.
    user("create alice", ALICE),
    user("create alice again", ALICE),
    user("create without a password", ("eve", "")),
    user("create without a name", ("", "x")),
    user("update nobody", STRANGER, code=3002),
    user("update alice", ALICE, code=3002, userType="Normal"),
    Call("delete nobody", ADMIN, 3003, {"username": "nobody"}),
    Call("get without a name", ADMIN, 3004, {}),
    Call("get nobody", ADMIN, 3004, {"username": "nobody"}),
    # A right secret without a policy.
    create("create T", ADMIN, "T"),
    create("create T2", ADMIN, "T2"),
    create("create Other", ADMIN, "Other"),
    create("create without a right", ALICE, "New"),
    send("send without a right", ALICE, "T"),
    pull("pull without a right", ALICE, "T", "g"),
    Call("stats without a right", ALICE, 202, {"topic": "T"}),
    Call("delete without a right", ALICE, 215, {"topic": "T"}),
    beat("heartbeat without a right", ALICE, ("g", "T")),
    beat("heartbeat of a producer", ALICE),
    lock("lock without a right", ALICE, "T", "g"),
    user("user without a right", BOB, by=ALICE),
    acl("policy without a right", "*", "All", by=ALICE),
    # Policies and their faults.
    acl("allow Topic:T", "Topic:T", "Pub", "sub"),
    send("send with a right", ALICE, "T"),
    send("send to a longer name", ALICE, "T2"),
    pull("pull with half a right", ALICE, "T", "g"),
    acl("allow Group:g", "Group:g", "Sub"),
    pull("pull with a right", ALICE, "T", "g"),
    lock("lock with a right", ALICE, "T", "g"),
    beat("heartbeat with a right", ALICE, ("g", "T")),
    beat("heartbeat with half a right", ALICE, ("g", "T"), ("g2", "T")),
    Call("max offset with another right", ALICE, 30, QUEUE),
    Call("commit with a right", ALICE, 15, {"consumerGroup": "g", **QUEUE, "commitOffset": "1"}),
    Call("commit with half a right", ALICE, 15, {"consumerGroup": "g2", **QUEUE, "commitOffset": "1"}),
    acl("prefix", "Topic:T*", "Pub", decision="Deny"),
    send("literal over prefix", ALICE, "T"),
    send("denied by the prefix", ALICE, "T2"),
    acl("allow T2", "Topic:T2", "Pub"),
    send("allowed by the name", ALICE, "T2"),
    acl("all topics", "Topic:*", "Pub"),
    send("all topics allowed", ALICE, "Other"),
    acl("deny Other", "Topic:Other", "Pub", decision="Deny"),
    send("deny over allow", ALICE, "Other"),
    acl("source address of others", "Topic:Other", "Pub", code=3007, sourceIps=["192.0.2.1"]),
    send("from another address", ALICE, "Other"),
    acl("source network", "Topic:Other", "Pub", code=3007, sourceIps=["127.0.0.0/8"], decision="Deny"),
    send("from that network", ALICE, "Other"),
    acl("no resource", "", "Pub"),
    acl("no action", "Topic:T"),
    acl("unknown action", "Topic:T", "Fly"),
    acl("any action", "Topic:T", "Any"),
    acl("wrong decision", "Topic:T", "Pub", decision="Maybe"),
    acl("wrong address", "Topic:T", "Pub", sourceIps=["10.0.0"]),
    Call("acl of nobody", ADMIN, 3009, {"subject": "User:nobody"}),
    Call("delete the acl of nobody", ADMIN, 3008, {"subject": "User:nobody"}),
    Call("get the acl", ADMIN, 3009, {"subject": "User:alice"}),
    Call("list acls of a resource", ADMIN, 3010, {"resourceFilter": "Group"}),
    Call("list acls of nobody", ADMIN, 3010, {"subjectFilter": "nobody"}),
    Call("delete one entry", ADMIN, 3008, {"subject": "User:alice", "resource": "Topic:T"}),
    Call("get the acl after that", ADMIN, 3009, {"subject": "User:alice"}),
    # The end of a user.
    user("disable alice", ALICE, code=3002, userStatus="disable"),
    Call("disabled user", ALICE, RUNTIME, {}),
    user("enable alice", ALICE, code=3002, userStatus="enable"),
    Call("delete the acl", ADMIN, 3008, {"subject": "User:alice"}),
    Call("delete the acl again", ADMIN, 3008, {"subject": "User:alice"}),
    Call("get the deleted acl", ADMIN, 3009, {"subject": "User:alice"}),
    Call("delete alice", ADMIN, 3003, {"username": "alice"}),
    Call("deleted user", ALICE, RUNTIME, {}),
    # A user who administers the cluster, and may not become more than that.
    user("create bob", BOB, userType="Normal"),
)

# Where Apache lets every user through: code of its answer, and of ours.
OPEN_ON_APACHE: tuple[tuple[str, int, dict[str, str], str], ...] = (
    ("runtime info", RUNTIME, {}, ""),
    ("broker configuration", 26, {}, ""),
    ("change the configuration", 25, {}, "fileReservedTime=71"),
    ("create a group", 200, {}, '{"groupName":"made-by-bob"}'),
    ("pull by 361", 361, {**pull("", BOB, "T", "g").fields}, ""),
    ("all topics", 21, {}, ""),
)


class Side:
    """One engine's protected broker."""

    def __init__(self, cluster: Cluster, directory: Path) -> None:
        self.cluster = cluster
        self.directory = directory
        self.address = cluster.masters()[0].address
        self.home = directory / "tools-home"
        (self.home / "conf").mkdir(parents=True)
        (self.home / "conf" / "tools.yml").write_text(f"accessKey: {ADMIN[0]}\nsecretKey: {ADMIN[1]}\n")

    def ask(self, calls: tuple[Call, ...]) -> dict[str, Event]:
        text = "\n".join(call.line() for call in calls)
        with ClientProcess(self.directory, "calls", address=self.address, calls=text) as client:
            client.finish()
            return {answer["name"]: answer for answer in client.of("answered")}

    def mqadmin(self, *args: str) -> MqadminResult:
        return mqadmin(self.directory, self.cluster.namesrv_addr, *args, home=self.home)


@pytest.fixture(scope="module")
def sides(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Side]]:
    with ExitStack() as stack:
        sides = {}
        for name, engine in ENGINES.items():
            directory = tmp_path_factory.mktemp(name)
            cluster = Cluster(engine, directory / "cluster", "single-master", settings=SETTINGS)
            sides[name] = Side(stack.enter_context(cluster).start(), directory)
        yield sides


@pytest.mark.timeout(300)
def test_same_requests_get_the_same_answers(sides: dict[str, Side]) -> None:
    answers = {name: side.ask(CALLS) for name, side in sides.items()}
    assert len(answers["python"]) == len(CALLS)
    differing = []
    for call in CALLS:
        ours, theirs = ((side[call.name]["code"], side[call.name]["remark"]) for side in answers.values())
        if ours != theirs:
            differing.append(f"{call.name}: ours {ours}, Apache's {theirs}")
        if call.name.startswith(("get the", "list acls")):
            bodies = [side[call.name]["body"] for side in answers.values()]
            if [json.loads(body or "null") for body in bodies[:1]] != [
                json.loads(body or "null") for body in bodies[1:]
            ]:
                differing.append(f"{call.name}: ours {bodies[0]}, Apache's {bodies[1]}")
    assert not differing, "\n".join(differing)


@pytest.mark.timeout(300)
def test_codes_that_apache_leaves_open_ask_for_a_right_here(sides: dict[str, Side]) -> None:
    calls = (
        user("carol", CAROL),
        *(Call(name, CAROL, code, fields, body) for name, code, fields, body in OPEN_ON_APACHE),
    )
    answers = {name: side.ask(calls) for name, side in sides.items()}
    for name, *_ in OPEN_ON_APACHE:
        assert answers["python"][name]["code"] == 16, name
        assert answers["apache"][name]["code"] != 16, name


# -- mqadmin and the clients, as people use them


COMMANDS = (
    ("createUser", "-b", "{broker}", "-u", "dave", "-p", "dave-secret"),
    ("createUser", "-c", "DefaultCluster", "-u", "erin", "-p", "erin-secret", "-t", "Super"),
    ("createUser", "-b", "{broker}", "-u", "dave", "-p", "dave-secret"),
    ("updateUser", "-b", "{broker}", "-u", "erin", "-t", "Normal", "-s", "disable"),
    ("getUser", "-b", "{broker}", "-u", "dave"),
    ("listUser", "-c", "DefaultCluster", "-f", "da"),
    ("createAcl", "-b", "{broker}", "-s", "User:dave", "-r", "Topic:mq-*,Group:g", "-a", "Pub,Sub", "-d", "Allow"),
    ("createAcl", "-c", "DefaultCluster", "-s", "User:dave", "-r", "*", "-a", "All", "-i", "192.0.2.1", "-d", "Deny"),
    ("updateAcl", "-b", "{broker}", "-s", "User:dave", "-r", "Group:g", "-a", "Sub", "-d", "Allow"),
    ("getAcl", "-b", "{broker}", "-s", "User:dave"),
    ("listAcl", "-b", "{broker}", "-s", "dave", "-r", "Topic"),
    ("copyAcl", "-f", "{broker}", "-t", "{broker}", "-s", "User:dave"),
    ("deleteAcl", "-b", "{broker}", "-s", "User:dave", "-r", "Group:g"),
    ("getAcl", "-b", "{broker}", "-s", "User:dave"),
    ("deleteUser", "-b", "{broker}", "-u", "erin"),
)


def shape(side: Side, text: str) -> list[str]:
    """Lines without addresses, passwords and Java's line numbers."""
    text = text.replace(side.address, "<broker>")
    text = re.sub(r"\b\S+-secret\b|\bnull\b", "<password>", text)
    lines = text.splitlines()
    kept = [re.sub(r"\s+", " ", line).strip() for line in lines if not line.lstrip().startswith("at ")]
    return sorted(line for line in kept if line)


def _on_both(sides: dict[str, Side], command: tuple[str, ...]) -> list[MqadminResult]:
    with ThreadPoolExecutor() as pool:
        return list(
            pool.map(lambda side: side.mqadmin(*(a.format(broker=side.address) for a in command)), sides.values())
        )


@pytest.mark.timeout(600)
def test_mqadmin_administers_users_and_policies_as_on_apache(sides: dict[str, Side]) -> None:
    for command in COMMANDS:
        ours, theirs = _on_both(sides, command)
        assert ours.status == theirs.status, f"{command}: {ours}\n{theirs}"
        shapes = [shape(side, run.stdout) for side, run in zip(sides.values(), (ours, theirs), strict=True)]
        assert shapes[0] == shapes[1], f"{command}: {ours}\n{theirs}"
        assert "-secret" not in ours.stdout


@pytest.mark.timeout(300)
def test_copyuser_is_refused_with_a_message_that_says_why(sides: dict[str, Side], tmp_path: Path) -> None:
    """On purpose: there is nothing to copy, because nobody is given a password."""
    side = sides["python"]
    with Cluster(ENGINES["python"], tmp_path / "other", "single-master", settings=SETTINGS) as cluster:
        target = cluster.start().masters()[0].address
        side.ask((user("create frank", FRANK),))
        done = side.mqadmin("copyUser", "-f", side.address, "-t", target, "-u", "frank")
    assert "success" not in done.stdout
    assert "getUser and listUser do not give it out" in done.stdout + done.stderr


@pytest.mark.timeout(300)
def test_official_clients_send_and_receive_with_their_user(sides: dict[str, Side]) -> None:
    """Signed: everything arrives. Unsigned: no send succeeds."""
    rights = {"actions": ["Pub", "Sub", "Get"], "decision": "Allow"}
    entries = [{"resource": resource, **rights} for resource in ("Topic:Signed", "Group:signed-group")]
    grant = {"subject": "User:gina", "policies": [{"policyType": "Custom", "entries": entries}]}
    gina = {"access_key": GINA[0], "secret_key": GINA[1]}
    setup = (
        create("topic", ADMIN, "Signed"),
        user("user", GINA),
        Call("grant", ADMIN, 3006, {"subject": "User:gina"}, json.dumps(grant)),
    )
    for name, side in sides.items():
        side.ask(setup)
        options = {"namesrv": side.cluster.namesrv_addr, "topic": "Signed", "count": 20, "retries": 0}
        with ClientProcess(side.directory, "produce", **options) as stranger:
            stranger.finish()
        assert [failed["code"] for failed in stranger.of("failed")] == [16] * 20, name
        with ClientProcess(side.directory, "produce", **options, **gina) as producer:
            producer.finish()
        assert len(producer.acknowledged()) == 20, name
        reading = {"namesrv": side.cluster.namesrv_addr, "topic": "Signed", "expect": 20, "group": "signed-group"}
        with ClientProcess(side.directory, "push", **reading, **gina) as consumer:
            assert consumer.finish()["distinct"] == 20, name
