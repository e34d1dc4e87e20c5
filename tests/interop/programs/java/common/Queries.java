// SPDX-License-Identifier: Apache-2.0
package programs;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.exception.MQClientException;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;

/** Looking for messages, and their trace. */
@SuppressWarnings("deprecation")
final class Queries {
    private static final String ENTRIES = String.valueOf((char) 2);
    private static final String FIELDS = String.valueOf((char) 1);

    private Queries() {
    }

    static void query(Run run) throws Exception {
        DefaultMQProducer producer = run.producer();
        SendResult one = producer.send(keyed(run, "one", "shared one"));
        producer.send(keyed(run, "two", "shared two"));
        producer.send(keyed(run, "three", "three"));
        // Keys are indexed a moment after the send.
        Run.await(() -> byKey(run, producer, "shared").size() == 2 && byKey(run, producer, "three").size() == 1);
        run.say("by key shared: " + Run.list(byKey(run, producer, "shared")));
        run.say("by key three: " + Run.list(byKey(run, producer, "three")));
        run.say("by unique id: " + Run.text(producer.viewMessage(run.topic(), one.getMsgId()).getBody()));
        run.say("by offset id: " + Run.text(producer.viewMessage(run.topic(), one.getOffsetMsgId()).getBody()));
        try {
            run.say("by unknown key: " + producer.queryMessage(run.topic(), "unknown", 32, 0, Long.MAX_VALUE));
        } catch (MQClientException e) {
            run.say("by unknown key: code=" + e.getResponseCode());
        }
    }

    private static Message keyed(Run run, String body, String keys) {
        return new Message(run.topic(), "TagA", keys, Run.bytes(body));
    }

    private static List<String> byKey(Run run, DefaultMQProducer producer, String key) throws Exception {
        try {
            List<String> bodies = new ArrayList<>();
            long soon = System.currentTimeMillis() + Run.DEADLINE_MILLIS;
            producer.queryMessage(run.topic(), key, 32, 0, soon).getMessageList()
                .forEach(message -> bodies.add(Run.text(message.getBody())));
            return bodies;
        } catch (MQClientException e) {
            return Collections.emptyList();
        }
    }

    static void trace(Run run) throws Exception {
        String log = run.name("log");
        Run.Inbox inbox = new Run.Inbox();
        DefaultMQPushConsumer traced = run.prepared(new DefaultMQPushConsumer(run.name("traced"), true, log));
        traced.subscribe(run.topic(), "*");
        traced.registerMessageListener(inbox);
        traced.start();
        DefaultMQProducer producer = run.prepared(new DefaultMQProducer(run.name("producer"), true, log));
        producer.start();
        run.saySend("t0", () -> producer.send(run.message("t0", "TagA")));
        Run.awaitSize(inbox, 1);

        Run.Inbox traces = new Run.Inbox();
        DefaultMQPushConsumer reader = run.newPush("reader");
        reader.subscribe(log, "*");
        reader.registerMessageListener(traces);
        reader.start();
        Run.await(() -> entries(traces).size() >= 3);
        run.sayAll(entries(traces));
    }

    private static List<String> entries(Run.Inbox traces) {
        List<String> entries = new ArrayList<>();
        for (MessageExt message : traces.all()) {
            for (String entry : Run.text(message.getBody()).split(ENTRIES)) {
                String[] field = entry.split(FIELDS);
                switch (field[0]) {
                    case "Pub":
                        entries.add("Pub key=" + field[7] + " region=" + field[2] + " success=" + field[13]);
                        break;
                    case "SubBefore":
                        entries.add("SubBefore key=" + field[7] + " region=" + field[2] + " retries=" + field[6]);
                        break;
                    case "SubAfter":
                        entries.add("SubAfter key=" + field[5] + " success=" + field[4]);
                        break;
                    default:
                        entries.add("unknown entry " + field[0]);
                }
            }
        }
        return entries;
    }
}
