# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from tests.engine.client.engine_processes import wait_until
from tests.engine.client.scripted_server import unused_address

from rmq.cli.mqadmin.main import main
from rmq.remoting import java_json

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.engine.client.engine_processes import Engine

    Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(engine: Engine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Exit status, stdout and stderr of one subcommand."""
    monkeypatch.setenv("NAMESRV_ADDR", engine.name_server)

    def run(*arguments: str) -> tuple[int, str, str]:
        status = main(arguments)
        out, err = capsys.readouterr()
        return status, out, err

    return run


def _made(run: Run, topic: str, *options: str, brokers: int = 2) -> None:
    """A topic on so many brokers, and known to the name server."""
    assert run("updateTopic", "-t", topic, *options)[0] == 0
    wait_until(lambda: run("topicRoute", "-t", topic)[1].count('"perm"') == brokers)


def test_cluster_list_shows_every_broker(run: Run, engine: Engine) -> None:
    status, out, err = run("clusterList")
    assert (status, err) == (0, "")
    head, *rows = out.splitlines()
    assert head.split() == [
        "#Cluster",
        "Name",
        "#Broker",
        "Name",
        "#BID",
        "#Addr",
        "#Version",
        "#InTPS(LOAD)",
        "#OutTPS(LOAD)",
        "#Timer(Progress)",
        "#PCWait(ms)",
        "#Hour",
        "#SPACE",
        "#ACTIVATED",
    ]
    assert [row.split()[:5] for row in rows] == [
        ["TestCluster", name, "0", address, "V5_4_0"] for name, address in sorted(engine.brokers.items())
    ]
    assert all(row.endswith("      true") for row in rows)


def test_cluster_list_m_shows_totals(run: Run) -> None:
    status, out, _ = run("clusterList", "-m", "-c", "TestCluster")
    assert status == 0
    assert re.fullmatch(r"TestCluster +broker-a( +\d+){4}", out.splitlines()[1])


def test_a_topic_is_made_sent_to_read_and_deleted(run: Run, engine: Engine) -> None:
    status, out, _ = run("updateTopic", "-c", "TestCluster", "-t", "Cli", "-r", "2", "-w", "2")
    assert status == 0
    assert out.splitlines() == [
        *(f"create topic to {address} success." for address in sorted(engine.brokers.values())),
        "TopicConfig [topicName=Cli, readQueueNums=2, writeQueueNums=2, perm=RW-, topicFilterType=SINGLE_TAG, "
        "topicSysFlag=0, order=false, attributes={}]",
    ]
    status, out, _ = run(
        "sendMessage", "-t", "Cli", "-p", "grüße", "-c", "TagA", "-k", "k1", "-b", "broker-b", "-i", "1"
    )
    assert status == 0
    head, row = out.splitlines()
    assert head == "#Broker Name                      #QID  #Send Result            #MsgId"
    assert re.fullmatch(r"broker-b {26}1     SEND_OK                 [0-9A-F]{32}", row)
    message_id = row.split()[-1]
    status, out, _ = run("consumeMessage", "-t", "Cli")
    assert status == 0
    assert f"MSGID: {message_id} MessageExt [brokerName=broker-b, queueId=1, " in out
    assert "BODY: grüße" in out
    assert run("deleteTopic", "-t", "Cli", "-c", "TestCluster") == (
        0,
        "delete topic [Cli] from cluster [TestCluster] success.\ndelete topic [Cli] from NameServer success.\n",
        "",
    )


def test_topic_route_is_apaches_pretty_json(run: Run, engine: Engine) -> None:
    _made(run, "Routed", "-b", engine.brokers["broker-a"], brokers=1)
    status, out, _ = run("topicRoute", "-t", "Routed")
    assert status == 0
    route = java_json.loads(out)
    assert route["brokerDatas"][0]["brokerAddrs"] == {"0": engine.brokers["broker-a"]}
    assert out.startswith('{\n\t"brokerDatas":[\n\t\t{\n\t\t\t"brokerAddrs":{\n\t\t\t\t0:"')


def test_topic_route_l_is_a_table_with_totals(run: Run, engine: Engine) -> None:
    _made(run, "Listed", "-c", "TestCluster", "-r", "3", "-w", "4")
    status, out, _ = run("topicRoute", "-t", "Listed", "-l")
    lines = out.splitlines()
    assert status == 0
    assert lines[1].split() == ["TestCluster", "broker-a", f"{{0={engine.brokers['broker-a']}}}", "3", "4", "6"]
    assert lines[3] == "-" * 158
    assert lines[4].split() == ["Total:", "2", "6", "8"]


def test_topic_list_c_names_cluster_and_groups(run: Run, engine: Engine) -> None:
    _made(run, "Grouped", "-c", "TestCluster")
    assert "Grouped" in run("topicList")[1].splitlines()
    status, out, _ = run("topicList", "-c")
    assert status == 0
    assert "TestCluster           Grouped" in out


def test_topic_status_shows_offsets_by_queue(run: Run, engine: Engine) -> None:
    _made(run, "Status", "-b", engine.brokers["broker-a"], "-r", "1", "-w", "1", brokers=1)
    run("sendMessage", "-t", "Status", "-p", "x")
    status, out, _ = run("topicStatus", "-t", "Status")
    assert status == 0
    assert re.search(r"^broker-a +0 +0 +1 +\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}$", out, re.MULTILINE)
    assert re.search(r"^Topic Put TPS: \d+\.\d+$", out, re.MULTILINE)


def test_an_ordered_topic_gets_its_order_config(run: Run, engine: Engine) -> None:
    _, out, _ = run("updateTopic", "-b", engine.brokers["broker-a"], "-t", "Ordered", "-w", "2", "-o", "true")
    assert "set broker orderConf. isOrder=true, orderConf=[broker-a:2]" in out
    _, out, _ = run("updateTopic", "-b", engine.brokers["broker-b"], "-t", "Ordered", "-w", "3", "-o", "true")
    assert "orderConf=[broker-a:2;broker-b:3]" in out
    _, out, _ = run("updateTopic", "-c", "TestCluster", "-t", "Ordered", "-w", "4", "-o", "true")
    assert "set cluster orderConf. isOrder=true, orderConf=[broker-a:4;broker-b:4]" in out


def test_a_group_is_made_and_its_progress_shown(run: Run, engine: Engine) -> None:
    status, out, _ = run("updateSubGroup", "-c", "TestCluster", "-g", "CliGroup", "-r", "5")
    assert status == 0
    assert out.splitlines()[-1] == (
        "SubscriptionGroupConfig{groupName=CliGroup, consumeEnable=true, consumeFromMinEnable=false, "
        "consumeBroadcastEnable=false, consumeMessageOrderly=false, retryQueueNums=1, retryMaxTimes=5, "
        "groupRetryPolicy=GroupRetryPolicy{type=CUSTOMIZED, exponentialRetryPolicy=null, customizedRetryPolicy=null}, "
        "brokerId=0, whichBrokerWhenConsumeSlowly=1, notifyConsumerIdsChangedEnable=true, groupSysFlag=0, "
        "consumeTimeoutMinute=15, subscriptionDataSet=null, attributes={}}"
    )
    status, out, _ = run("consumerProgress")
    assert (status, out.split()[0]) == (0, "#Group")


@pytest.mark.parametrize("command", ["brokerStatus", "getBrokerConfig", "haStatus"])
def test_what_a_broker_says_of_itself_needs_no_name_server(
    command: str, run: Run, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NAMESRV_ADDR")
    status, out, err = run(command, "-b", engine.brokers["broker-a"])
    assert (status, err) == (0, "")
    assert len(out.splitlines()) >= 5


@pytest.mark.parametrize("command", ["brokerStatus", "getBrokerConfig", "haStatus"])
def test_all_brokers_of_a_cluster_are_asked(command: str, run: Run, engine: Engine) -> None:
    status, out, _ = run(command, "-c", "TestCluster")
    assert status == 0
    assert all(address in out for address in engine.brokers.values())


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["clusterList", "-c", "Nope"], "knows no cluster Nope"),
        (["updateTopic", "-c", "Nope", "-t", "T"], "knows no cluster Nope (it knows: TestCluster)"),
        (["updateTopic", "-c", "TestCluster", "-t", "bad topic"], "contains illegal characters"),
        (["updateTopic", "-c", "TestCluster", "-t", "T", "-p", "9"], "perm 9 is not one of"),
        (["updateTopic", "-c", "TestCluster", "-t", "T", "-a", "x"], "neither +name=value nor -name"),
        (["topicRoute", "-t", "NoSuchTopic"], "TOPIC_NOT_EXIST (17)"),
        (["consumeMessage", "-t", "NoSuchTopic"], "TOPIC_NOT_EXIST (17)"),
        (["consumerProgress", "-g", "NoSuchGroup"], "TOPIC_NOT_EXIST (17)"),
        (["clusterList", "-n", "nonsense"], "no address of the form host:port"),
    ],
)
def test_what_fails_at_the_servers_ends_with_1_and_one_line(arguments: list[str], said: str, run: Run) -> None:
    status, _, err = run(*arguments)
    assert status == 1
    assert err.startswith(f"mqadmin {arguments[0]}: ")
    assert said in err
    assert err.count("\n") == 1


def test_a_name_server_that_is_not_there_is_named(run: Run) -> None:
    address = unused_address()
    assert run("clusterList", "-n", address) == (
        1,
        "",
        f"mqadmin clusterList: no name server answers: no connection to {address}: Connection refused\n",
    )


def test_without_a_name_server_the_way_to_give_one_is_told(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NAMESRV_ADDR")
    status, _, err = run("topicList")
    assert (status, err) == (
        1,
        "mqadmin topicList: no name server is given; use -n host:port or set NAMESRV_ADDR\n",
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["clusterLst"], "The sub command clusterLst not exist. Did you mean clusterList?"),
        (["topicRoute"], "-t/--topic"),
        (["updateTopic", "-t", "T"], "-b/--brokerAddr -c/--clusterName"),
        (["updateTopic", "-c", "C", "-t", "T", "-r", "x"], "no whole number"),
        (["updateTopic", "-c", "C", "-t", "T", "-o", "maybe"], "neither true nor false"),
        (["sendMessage", "-t", "T", "-p", "x", "-i", "1"], "Broker name must be set"),
        (["consumeMessage", "-t", "T", "-o", "1"], "set queueId before offset"),
        (["consumeMessage", "-t", "T", "-c", "0"], "positive messageNumber"),
        (["consumeMessage", "-t", "T", "-s", "yesterday"], "beginTimestamp"),
    ],
)
def test_a_wrong_command_line_ends_with_2_and_one_line(arguments: list[str], said: str, run: Run) -> None:
    status, out, err = run(*arguments)
    assert (status, out) == (2, "")
    assert said in err
    assert err.count("\n") == 1


def test_help_lists_commands_and_options(run: Run) -> None:
    assert "clusterList" in run()[1]
    for arguments in (["help", "updateTopic"], ["updateTopic", "-h"]):
        status, out, _ = run(*arguments)
        assert status == 0
        assert "--readQueueNums" in out


def test_a_setting_is_changed_and_read_back(run: Run, engine: Engine) -> None:
    address = engine.brokers["broker-a"]
    status, out, err = run("updateBrokerConfig", "-b", address, "-k", "fileReservedTime", "-v", "48")
    assert (status, out, err) == (0, f"update broker config success, {address}\n", "")
    assert "fileReservedTime                                  =  48" in run("getBrokerConfig", "-b", address)[1]
    status, _, err = run("updateBrokerConfig", "-c", "TestCluster", "-k", "fileReservdTime", "-v", "48")
    assert status == 1 and "Write fileReservedTime" in err


def test_offsets_are_reset_and_skipped_and_the_statistics_say_so(run: Run, engine: Engine) -> None:
    address = engine.brokers["broker-a"]
    _made(run, "Reset", "-b", address, "-r", "1", "-w", "1", brokers=1)
    assert run("updateSubGroup", "-b", address, "-g", "resetting")[0] == 0
    for text in ("one", "two"):
        assert run("sendMessage", "-t", "Reset", "-p", text)[0] == 0
    status, out, err = run("resetOffsetByTime", "-g", "resetting", "-t", "Reset", "-s", "0")
    assert (status, err) == (0, "")
    assert out.splitlines()[0].endswith("force[true], timestamp(string)[0], timestamp(long)[0]")
    assert out.splitlines()[2].split() == ["broker-a", "0", "0"]
    queue = ("resetOffsetByTime", "-g", "resetting", "-t", "Reset", "-s", "now", "-b", address, "-q", "0", "-o", "1")
    assert run(*queue)[1].splitlines()[-1] == "reset consumer offset to 1"
    status, out, _ = run("brokerConsumeStats", "-b", address)
    assert [row.split()[:7] for row in out.splitlines() if row.startswith("Reset ")] == [
        ["Reset", "resetting", "broker-a", "0", "2", "1", "1"]
    ]
    assert [row.split()[:4] for row in run("statsAll", "-t", "Reset")[1].splitlines()[1:]] == [
        ["Reset", "resetting", "1", "0.00"]
    ]
    assert run("skipAccumulatedMessage", "-g", "resetting", "-t", "Reset")[1].splitlines()[1].split()[-1] == "2"
    assert run("resetOffsetByTime", "-g", "resetting", "-t", "Reset", "-s", "now", "-q", "0")[0] == 1
    assert run("resetOffsetByTime", "-g", "none", "-t", "Reset", "-s", "now")[0] == 1


def test_a_group_is_deleted_with_its_topics(run: Run, engine: Engine) -> None:
    assert run("updateSubGroup", "-c", "TestCluster", "-g", "leaving")[0] == 0
    status, out, err = run("deleteSubGroup", "-c", "TestCluster", "-g", "leaving", "-r", "true")
    assert (status, err) == (0, "")
    assert out.splitlines() == [
        f"delete subscription group [leaving] from broker [{address}] in cluster [TestCluster] success."
        for address in sorted(engine.brokers.values())
    ]


def test_key_values_are_put_and_deleted(run: Run) -> None:
    status, out, _ = run("updateKvConfig", "-s", "CLI", "-k", "a", "-v", "b")
    assert (status, out) == (0, "create or update kv config to namespace success.\n")
    assert run("deleteKvConfig", "-s", "CLI", "-k", "a") == (0, "delete kv config from namespace success.\n", "")


def test_write_permission_is_taken_and_given_back(run: Run, engine: Engine) -> None:
    _made(run, "Wiped", "-c", "TestCluster")
    wiped = rf"wipe write perm of broker\[broker-a\] in name server\[{engine.name_server}\] OK, \d+\n"
    assert re.fullmatch(wiped, run("wipeWritePerm", "-b", "broker-a")[1])
    assert '"perm":4' in run("topicRoute", "-t", "Wiped")[1].replace(" ", "")
    assert "OK, " in run("addWritePerm", "-b", "broker-a")[1]
    assert '"perm":4' not in run("topicRoute", "-t", "Wiped")[1].replace(" ", "")


def test_connections_of_groups_that_are_away(run: Run, engine: Engine) -> None:
    address = engine.brokers["broker-a"]
    status, _, err = run("consumerConnection", "-g", "nobody", "-b", address)
    assert status == 1 and "the consumer group[nobody] not online" in err
    _made(run, "Produced", "-c", "TestCluster")
    status, _, err = run("producerConnection", "-g", "nobody", "-t", "Produced")
    assert status == 1 and "the producer group[nobody] not exist" in err
