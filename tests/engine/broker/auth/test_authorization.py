# SPDX-License-Identifier: Apache-2.0
"""What a user may do: policies, the table of codes, and records that a request points to."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from tests.engine.broker.auth.harness import ADMIN, ALICE, SigningClient, protected
from tests.engine.broker.harness import Broker

from rmq.broker.auth.auth_codes import AUTH_CODES, GET_AUTH_METADATA
from rmq.broker.auth.permissions import CLUSTER_GET, CLUSTER_UPDATE, PERMISSIONS, PUBLIC
from rmq.remoting.codes import RequestCode, ResponseCode
from rmq.remoting.java_json import dumps_bytes

if TYPE_CHECKING:
    from rmq.remoting.command import RemotingCommand

NO_POLICY = "User:alice has no permission to access {} from 10.0.0.9, no matched policies."
DENIED = "User:alice has no permission to access {} from 10.0.0.9, the decision is deny."


class Case:
    """A protected broker, its administrator and alice."""

    def __init__(self, **settings: str) -> None:
        self.broker = protected(**settings)
        self.admin = SigningClient(self.broker, ADMIN)
        self.admin.create_user(ALICE)
        for topic in ("T", "T2", "Other"):
            self.admin.create_topic(topic)
        self.alice = SigningClient(self.broker, ALICE)

    def may_send(self, topic: str) -> bool:
        answer = self.alice.send(topic)
        assert answer.code in (ResponseCode.SUCCESS, ResponseCode.NO_PERMISSION)
        return answer.code == ResponseCode.SUCCESS


@pytest.fixture
def case() -> Case:
    return Case()


# -- the table


def test_every_code_that_is_answered_has_its_entry_in_the_table() -> None:
    answered = Broker().controller.server.codes
    missing = answered - set(PERMISSIONS)
    assert not missing, f"name what {sorted(missing)} need in permissions.py"
    assert not set(PERMISSIONS) - answered, "nobody answers these"


def test_what_is_open_to_every_user_is_listed_here_too() -> None:
    open_to_all = {code for code, needs in PERMISSIONS.items() if needs is PUBLIC}
    assert open_to_all == {RequestCode.CHECK_CLIENT_CONFIG}


@pytest.mark.parametrize("code", sorted(PERMISSIONS))
def test_user_without_policies_may_do_nothing(code: int, case: Case) -> None:
    """With fields and a body that name something wherever a code may look; nothing may come back but the refusal."""
    queue = {"topic": "T", "brokerName": "broker-a", "queueId": 0}
    consumer = {"groupName": "g", "subscriptionDataSet": [{"topic": "T"}]}
    body = {
        **{"clientID": "c", "consumerDataSet": [consumer], "consumerGroup": "g", "mqSet": [queue], "topic": "T"},
        **{"topicConfigList": [{"topicName": "T"}], "groupConfigList": [{"groupName": "g"}], "groupName": "g"},
        **{"acks": [{"c": "g", "t": "T"}], "mode": "PULL", "password": "x"},
    }
    fields = dict.fromkeys(("topic", "b", "group", "consumerGroup", "groupName", "destGroup", "srcGroup"), "T")
    fields |= {"username": "bob", "subject": "User:alice", "queueId": "0"}
    answer = case.alice.ask(code, fields, dumps_bytes(body))
    if PERMISSIONS[code] is PUBLIC:
        assert answer.code == ResponseCode.SUCCESS
    else:
        assert answer.code == ResponseCode.NO_PERMISSION
        assert "has no permission to access" in (answer.remark or "")


NAMELESS = {code for code, needs in PERMISSIONS.items() if needs is not PUBLIC}


@pytest.mark.parametrize("code", sorted(NAMELESS - {RequestCode.HEART_BEAT, RequestCode.UNREGISTER_CLIENT}))
def test_request_that_names_nothing_is_let_through_by_no_code(code: int, case: Case) -> None:
    """Apache lets a request without extFields pass. What points to a record is checked where the record is found."""
    answer = case.alice.ask(code)
    assert answer.code != ResponseCode.SUCCESS
    assert not answer.body


def test_administration_needs_the_cluster(case: Case) -> None:
    assert case.alice.refusal(RequestCode.GET_BROKER_CONFIG) == NO_POLICY.format("Cluster:C")
    case.admin.allow("Cluster:C", "Get")
    case.alice.ok(RequestCode.GET_BROKER_CONFIG)
    assert case.alice.refusal(RequestCode.UPDATE_BROKER_CONFIG, None, b"fileReservedTime=1\n")
    case.admin.allow("Cluster:*", "Update")
    assert case.alice.ask(RequestCode.CLEAN_UNUSED_TOPIC).code == ResponseCode.SUCCESS


def test_stranger_learns_of_no_code_whether_it_exists(case: Case) -> None:
    assert SigningClient(case.broker, None).refusal(31000) == "username cannot be null."
    assert case.alice.ask(31000).code == ResponseCode.REQUEST_CODE_NOT_SUPPORTED


# -- policies


def test_super_user_may_do_everything_and_a_new_user_nothing(case: Case) -> None:
    assert case.admin.send("T").code == ResponseCode.SUCCESS
    assert case.alice.send("T").remark == NO_POLICY.format("Topic:T")
    case.admin.ok(RequestCode.AUTH_UPDATE_USER, {"username": "alice"}, b'{"userType":"Super"}')
    assert case.may_send("T")


def test_allowed_action_on_a_topic_is_allowed_and_another_is_not(case: Case) -> None:
    case.admin.allow("Topic:T", "Pub")
    assert case.may_send("T")
    assert not case.may_send("Other")
    assert case.alice.refusal(RequestCode.GET_MAX_OFFSET, {"topic": "T", "queueId": "0"}) == NO_POLICY.format("Topic:T")
    case.admin.allow("Topic:T", "All")
    case.alice.ok(RequestCode.GET_MAX_OFFSET, {"topic": "T", "queueId": "0"})


def test_literal_wins_over_prefix_over_all_of_a_type_over_everything(case: Case) -> None:
    case.admin.allow("*", "Pub")
    assert (case.may_send("T"), case.may_send("T2"), case.may_send("Other")) == (True, True, True)
    case.admin.allow("Topic:*", "Pub", decision="Deny")
    assert (case.may_send("T"), case.may_send("T2"), case.may_send("Other")) == (False, False, False)
    case.admin.allow("Topic:T*", "Pub")
    assert (case.may_send("T"), case.may_send("T2"), case.may_send("Other")) == (True, True, False)
    case.admin.allow("Topic:T2", "Pub", decision="Deny")
    assert case.alice.send("T2").remark == DENIED.format("Topic:T2")
    assert case.may_send("T")
    case.admin.allow("Topic:T2*", "Pub", decision="Deny")
    case.admin.allow("Topic:T2", "Pub")
    assert case.may_send("T2")


def test_longer_prefix_wins(case: Case) -> None:
    case.admin.allow("Topic:O*", "Pub", decision="Deny")
    case.admin.allow("Topic:Oth*", "Pub")
    assert case.may_send("Other")


def test_default_policy_counts_where_no_custom_entry_matches(case: Case) -> None:
    case.admin.allow("Topic:*", "Pub", policy_type="Default")
    assert case.may_send("T")
    case.admin.allow("Topic:T", "Pub", decision="Deny")
    assert (case.may_send("T"), case.may_send("T2")) == (False, True)


@pytest.mark.parametrize(
    ("source_ip", "allowed"),
    [("10.0.0.9", True), ("10.0.0.0/24", True), ("10.0.0.8", False), ("10.0.1.0/24", False), ("2001:db8::/32", False)],
)
def test_entry_counts_for_its_source_addresses_alone(source_ip: str, allowed: bool, case: Case) -> None:
    case.admin.allow("Topic:T", "Pub", source_ips=("192.0.2.77", source_ip))
    assert case.may_send("T") is allowed


def test_change_of_a_policy_holds_for_the_next_request(case: Case) -> None:
    case.admin.allow("Topic:T", "Pub")
    assert case.may_send("T")
    case.admin.allow("Topic:T", "Pub", decision="Deny")
    assert not case.may_send("T")
    case.admin.ok(RequestCode.AUTH_DELETE_ACL, {"subject": "User:alice", "resource": "Topic:T"})
    assert case.alice.send("T").remark == NO_POLICY.format("Topic:T")


def test_white_list_of_authorization_asks_for_a_user_and_for_no_right() -> None:
    case = Case(authorizationWhitelist="310")
    assert case.may_send("T")
    assert SigningClient(case.broker, None).send("T").remark == "username cannot be null."


# -- what a request is about


def test_pull_needs_topic_and_group(case: Case) -> None:
    fields = case.alice.pull_fields("T", 0, group="gc")
    case.admin.allow("Topic:T", "Sub")
    assert case.alice.refusal(RequestCode.PULL_MESSAGE, fields) == NO_POLICY.format("Group:gc")
    case.admin.allow("Group:gc", "Sub")
    assert case.alice.ask(RequestCode.PULL_MESSAGE, fields).code == ResponseCode.PULL_NOT_FOUND
    assert case.alice.ask(RequestCode.LITE_PULL_MESSAGE, fields).code == ResponseCode.PULL_NOT_FOUND
    case.admin.allow("Topic:T", "Pub")
    assert case.alice.refusal(RequestCode.LITE_PULL_MESSAGE, fields) == NO_POLICY.format("Topic:T")


def test_retry_topic_belongs_to_its_group_whatever_group_asks(case: Case) -> None:
    """Apache looks at the asking group alone."""
    case.admin.allow("Group:mine", "Sub")
    own, other = "%RETRY%mine", "%RETRY%theirs"
    fields = case.alice.pull_fields(own, 0, group="mine")
    assert case.alice.ask(RequestCode.PULL_MESSAGE, fields).code != ResponseCode.NO_PERMISSION
    assert case.alice.refusal(RequestCode.PULL_MESSAGE, {**fields, "topic": other}) == NO_POLICY.format("Group:theirs")
    assert case.alice.send(other).remark == NO_POLICY.format("Group:theirs")
    assert case.alice.send(own).code != ResponseCode.NO_PERMISSION


def test_heartbeat_is_checked_for_all_its_groups_and_topics(case: Case) -> None:
    def beat(*consumers: tuple[str, str]) -> RemotingCommand:
        data = [{"groupName": group, "subscriptionDataSet": [{"topic": topic}]} for group, topic in consumers]
        body = {"clientID": "c", "consumerDataSet": data, "producerDataSet": [{"groupName": "anything"}]}
        return case.alice.ask(RequestCode.HEART_BEAT, None, dumps_bytes(body))

    assert beat().code == ResponseCode.SUCCESS
    case.admin.allow("Group:g1", "Sub")
    case.admin.allow("Topic:T", "Sub")
    assert beat(("g1", "T")).code == ResponseCode.SUCCESS
    assert beat(("g1", "T"), ("g2", "T")).remark == NO_POLICY.format("Group:g2")
    assert beat(("g1", "T"), ("g1", "T2")).remark == NO_POLICY.format("Topic:T2")
    assert case.broker.controller.context.consumers.get("g2") is None


def test_lock_is_checked_for_all_its_queues(case: Case) -> None:
    def lock(*topics: str) -> RemotingCommand:
        queues = [{"topic": topic, "brokerName": "broker-a", "queueId": 0} for topic in topics]
        body = {"consumerGroup": "g", "clientId": "c", "mqSet": queues}
        return case.alice.ask(RequestCode.LOCK_BATCH_MQ, None, dumps_bytes(body))

    case.admin.allow("Group:g", "Sub")
    case.admin.allow("Topic:T", "Sub")
    assert lock("T").code == ResponseCode.SUCCESS
    assert lock("T", "T2").remark == NO_POLICY.format("Topic:T2")
    assert json.loads(case.admin.ok(RequestCode.LOCK_BATCH_MQ, None, b'{"consumerGroup":"g","mqSet":[]}').body)


def test_body_that_cannot_be_read_is_refused_before_anything_else(case: Case) -> None:
    remark = case.alice.refusal(RequestCode.HEART_BEAT, None, b"{")
    assert remark.startswith("parse authorization context error.")


# -- records


def place_of(case: Case, topic: str, body: bytes = b"secret") -> str:
    answer = case.admin.send(topic, body)
    return answer.ext_fields["msgId"]


def test_message_id_shows_a_message_only_to_who_may_read_its_topic(case: Case) -> None:
    """The topic in the request is what the client says; Apache believes it."""
    message_id = place_of(case, "Other")
    offset = str(int(message_id[16:], 16))
    case.admin.allow("Topic:T", "All")
    hidden = "User:alice has no permission to access that message"
    for fields in ({"offset": offset}, {"offset": offset, "topic": "T"}):
        assert case.alice.refusal(RequestCode.VIEW_MESSAGE_BY_ID, fields) == hidden
    case.admin.allow("Topic:Other", "Sub")
    assert b"secret" in case.alice.ok(RequestCode.VIEW_MESSAGE_BY_ID, {"offset": offset}).body


def test_nobody_sends_back_a_message_that_he_may_not_read(case: Case) -> None:
    """Else a message of any topic could be had by way of one's own retry topic."""
    offset = str(int(place_of(case, "Other")[16:], 16))
    case.admin.allow("Group:g", "Sub")
    fields = {"offset": offset, "group": "g", "delayLevel": "0", "originTopic": "T"}
    hidden = "User:alice has no permission to access that message"
    assert case.alice.refusal(RequestCode.CONSUMER_SEND_MSG_BACK, fields) == hidden
    case.admin.allow("Topic:Other", "Sub")
    case.alice.ok(RequestCode.CONSUMER_SEND_MSG_BACK, fields)


def test_nobody_has_his_client_consume_a_message_that_he_may_not_read(case: Case) -> None:
    message_id = place_of(case, "Other")
    case.admin.allow("Topic:T", "Sub")
    case.admin.allow("Group:g", "Sub")
    fields = {"consumerGroup": "g", "topic": "T", "clientId": "c", "msgId": message_id}
    hidden = "User:alice has no permission to access that message"
    assert case.alice.refusal(RequestCode.CONSUME_MESSAGE_DIRECTLY, fields) == hidden


def test_delayed_message_belongs_to_the_topic_it_goes_to(case: Case) -> None:
    answer = case.admin.send("Other", b"later", "DELAY\x013\x02")
    offset = str(int(answer.ext_fields["msgId"][16:], 16))
    case.admin.allow("Topic:SCHEDULE_TOPIC_XXX*", "All")
    assert case.alice.refusal(RequestCode.VIEW_MESSAGE_BY_ID, {"offset": offset})
    case.admin.allow("Topic:Other", "Get")
    case.alice.ok(RequestCode.VIEW_MESSAGE_BY_ID, {"offset": offset})


def test_transaction_is_ended_by_who_may_publish_to_its_topic(case: Case) -> None:
    """Clients before 5.x name no topic in the request."""
    answer = case.admin.send("Other", b"half", "TRAN_MSG\x01true\x02PGROUP\x01pg\x02")
    offset = str(int(answer.ext_fields["msgId"][16:], 16))
    fields = {"producerGroup": "pg", "tranStateTableOffset": answer.ext_fields["queueOffset"]}
    fields |= {"commitLogOffset": offset, "commitOrRollback": "8", "fromTransactionCheck": "false"}
    fields["msgId"] = "id"
    assert case.alice.refusal(RequestCode.END_TRANSACTION, fields)
    case.admin.allow("Topic:Other", "Pub")
    case.alice.ok(RequestCode.END_TRANSACTION, fields)


# -- the few who administer users


def test_only_a_super_user_makes_or_changes_a_super_user(case: Case) -> None:
    case.admin.allow("Cluster:C", "Update", "Get")
    create = case.alice.ask(RequestCode.AUTH_CREATE_USER, {"username": "eve"}, b'{"password":"x","userType":"super"}')
    assert (create.code, create.remark) == (1, "The super user can only be create by super user")
    promote = case.alice.ask(RequestCode.AUTH_UPDATE_USER, {"username": "alice"}, b'{"userType":"Super"}')
    assert (promote.code, promote.remark) == (1, "The super user can only be update by super user")
    words = "The super user can only be update by super user"
    assert case.alice.refusal(RequestCode.AUTH_UPDATE_USER, {"username": "admin"}, b'{"password":"x"}') == words
    assert case.alice.refusal(RequestCode.AUTH_DELETE_USER, {"username": "admin"}) == words
    assert case.alice.refusal(GET_AUTH_METADATA, {"nonce": "00"}) == "only a broker of this cluster gets its users"
    case.alice.ok(RequestCode.AUTH_CREATE_USER, {"username": "bob"}, b'{"password":"x"}')


def test_codes_of_users_need_the_cluster() -> None:
    assert {PERMISSIONS[code] for code in AUTH_CODES} == {CLUSTER_GET, CLUSTER_UPDATE}
