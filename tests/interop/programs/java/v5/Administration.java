// SPDX-License-Identifier: Apache-2.0
package programs;

import java.util.Collections;
import java.util.TreeMap;
import java.util.concurrent.Callable;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.exception.MQBrokerException;
import org.apache.rocketmq.client.exception.MQClientException;
import org.apache.rocketmq.client.impl.MQClientAPIImpl;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.remoting.protocol.admin.OffsetWrapper;
import org.apache.rocketmq.remoting.protocol.body.TopicList;
import org.apache.rocketmq.tools.admin.DefaultMQAdminExt;

/** What dashboards and exporters ask beyond mqadmin's commands. */
final class Administration {
    private static final long TIMEOUT_MILLIS = 10_000;

    private final Run run;
    private final DefaultMQAdminExt admin = new DefaultMQAdminExt(TIMEOUT_MILLIS);
    private final String topic;
    private final String group;

    private Administration(Run run) throws Exception {
        this.run = run;
        topic = run.topic();
        group = run.name("group");
        admin.setNamesrvAddr(run.namesrv);
        admin.setInstanceName(run.instance());
        admin.setAdminExtGroup(run.name("admin"));
        run.atEnd(admin::shutdown);
        admin.start();
    }

    static void admin(Run run) throws Exception {
        DefaultMQProducer producer = run.producer();
        for (int number = 0; number < 8; number++) {
            producer.send(run.message("a" + number, "TagA"));
        }
        Run.Inbox inbox = new Run.Inbox();
        DefaultMQPushConsumer consumer = run.newPush("group");
        consumer.setPersistConsumerOffsetInterval(500);
        consumer.subscribe(run.topic(), "TagA");
        consumer.registerMessageListener(inbox);
        consumer.start();
        Run.awaitSize(inbox, 8);
        Administration administration = new Administration(run);
        Run.await(() -> administration.committed() == 8);
        administration.nameServer();
        administration.groups();
    }

    static void resumecheck(Run run) throws Exception {
        SendResult sent = run.producer().send(run.message("ordinary", "TagA"));
        Administration administration = new Administration(run);
        // It is found by its unique id, which is indexed a moment later.
        Run.await(() -> administration.admin.viewMessage(run.topic(), sent.getMsgId()) != null);
        administration.say("an ordinary message is checked again=",
            () -> administration.admin.resumeCheckHalfMessage(run.topic(), sent.getMsgId()));
    }

    private long committed() throws Exception {
        return admin.examineConsumeStats(group, topic).getOffsetTable().values().stream()
            .mapToLong(OffsetWrapper::getConsumerOffset).sum();
    }

    private void nameServer() throws Exception {
        String namespace = run.name("kv");
        admin.createAndUpdateKvConfig(namespace, "a", "b");
        say("value", () -> admin.getKVConfig(namespace, "a"));
        say("values", () -> admin.getKVListByNamespace(namespace).getTable());
        say("topics of the cluster: has=", () -> has(admin.fetchTopicsByCLuster("DefaultCluster"), topic));
        say("topics of no cluster", () -> admin.fetchTopicsByCLuster("none").getTopicList().size());
        MQClientAPIImpl api = admin.getDefaultMQAdminExtImpl().getMqClientInstance().getMQClientAPIImpl();
        say("system topics: has the cluster=", () -> has(api.getSystemTopicList(TIMEOUT_MILLIS), "DefaultCluster"));
        say("unit topics: has=", () -> has(api.getUnitTopicList(false, TIMEOUT_MILLIS), topic));
        say("unit subscribed topics: has=", () -> has(api.getHasUnitSubTopicList(false, TIMEOUT_MILLIS), topic));
        say("unit subscribed, no unit: has=", () -> has(api.getHasUnitSubUnUnitTopicList(false, TIMEOUT_MILLIS), topic));
    }

    private void groups() throws Exception {
        String broker = new TreeMap<>(admin.examineBrokerClusterInfo().getBrokerAddrTable()).firstEntry().getValue()
            .selectBrokerAddr();
        MQClientAPIImpl api = admin.getDefaultMQAdminExtImpl().getMqClientInstance().getMQClientAPIImpl();
        say("group is itself=", () -> api.getSubscriptionGroupConfig(broker, group, TIMEOUT_MILLIS).getGroupName().equals(group));
        say("unknown group", () -> admin.examineSubscriptionGroupConfig(broker, run.name("unknown")));
        say("topics of the group: has=", () -> has(admin.queryTopicsByConsumer(group), topic));
        say("subscription", () -> admin.querySubscription(group, topic).getSubString());
        say("time spans", () -> admin.queryConsumeTimeSpan(topic, group).size());
        say("consumers with a status", () -> admin.getConsumeStatus(topic, group, "").size());
        say("offsets of others", () -> api.queryCorrectionOffset(broker, topic, group,
            Collections.singleton(run.name("unknown")), TIMEOUT_MILLIS).size());
        String clone = run.name("clone");
        say("clone", () -> {
            admin.cloneGroupOffset(group, clone, topic, false);
            return admin.examineConsumeStats(clone, topic).getOffsetTable().size();
        });
        say("readable=", () -> admin.updateAndGetGroupReadForbidden(broker, group, topic, null).getReadable());
        say("forbidden: readable=", () -> admin.updateAndGetGroupReadForbidden(broker, group, topic, false).getReadable());
    }

    private static boolean has(TopicList topics, String name) {
        return topics.getTopicList().contains(name);
    }

    private void say(String what, Callable<Object> ask) throws Exception {
        String label = what.endsWith("=") ? what : what + ": ";
        try {
            run.say(label + ask.call());
        } catch (MQBrokerException e) {
            run.say(label + "code=" + e.getResponseCode());
        } catch (MQClientException e) {
            run.say(label + "code=" + e.getResponseCode());
        }
    }
}
