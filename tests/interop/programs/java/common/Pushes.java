// SPDX-License-Identifier: Apache-2.0
package programs;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicBoolean;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.MessageSelector;
import org.apache.rocketmq.client.consumer.listener.ConsumeOrderlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerOrderly;
import org.apache.rocketmq.client.exception.MQClientException;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageQueue;

/** Push consumers: filters, order, broadcasting. */
final class Pushes {
    private static final String[] TAGS = {"TagA", "TagB", "TagC"};
    /** How long to look for a message that must not come. */
    private static final long LINGER_MILLIS = 1000;
    private static final int STEPS = 8;

    private Pushes() {
    }

    static void push(Run run) throws Exception {
        DefaultMQProducer producer = run.producer();
        for (int number = 0; number < 12; number++) {
            producer.send(run.message(String.format("p%02d", number), TAGS[number % 3]));
        }
        Map<String, Integer> expected = new LinkedHashMap<>();
        expected.put("*", 12);
        expected.put("TagA || TagC", 8);
        expected.put("TagB", 4);
        filter(run, expected, MessageSelector::byTag);
    }

    static void sql(Run run) throws Exception {
        DefaultMQProducer producer = run.producer();
        for (int number = 0; number < 10; number++) {
            Message message = run.message("s" + number, number < 5 ? "TagA" : "TagB");
            message.putUserProperty("number", String.valueOf(number));
            message.putUserProperty("color", number % 2 == 0 ? "red" : "blue");
            producer.send(message);
        }
        Map<String, Integer> expected = new LinkedHashMap<>();
        expected.put("number BETWEEN 3 AND 5 OR number > 8", 4);
        expected.put("color = 'red' AND NOT (number < 4)", 3);
        expected.put("TAGS = 'TagA' AND missing IS NULL", 5);
        expected.put("number IN ('0', '7')", 2);
        filter(run, expected, MessageSelector::bySql);
    }

    private interface Selectors {
        MessageSelector of(String expression);
    }

    private static void filter(Run run, Map<String, Integer> expected, Selectors selectors) throws Exception {
        Map<String, Run.Inbox> inboxes = new LinkedHashMap<>();
        for (String expression : expected.keySet()) {
            Run.Inbox inbox = new Run.Inbox();
            DefaultMQPushConsumer consumer = run.newPush("group" + inboxes.size());
            consumer.subscribe(run.topic(), selectors.of(expression));
            consumer.registerMessageListener(inbox);
            consumer.start();
            inboxes.put(expression, inbox);
        }
        for (Map.Entry<String, Run.Inbox> entry : inboxes.entrySet()) {
            Run.awaitSize(entry.getValue(), expected.get(entry.getKey()));
        }
        Thread.sleep(LINGER_MILLIS);
        inboxes.forEach((expression, inbox) -> run.say(expression + ": " + Run.list(inbox.keys())));
    }

    static void sqlbad(Run run) throws Exception {
        DefaultMQPushConsumer consumer = run.newPush("group");
        consumer.subscribe(run.topic(), MessageSelector.bySql("number >"));
        consumer.registerMessageListener(new Run.Inbox());
        try {
            consumer.start();
            run.say("start: no error");
        } catch (MQClientException e) {
            run.say("start: code=" + e.getResponseCode());
        }
    }

    static void orderly(Run run) throws Exception {
        DefaultMQProducer producer = run.producer();
        List<MessageQueue> queues = run.queues(producer);
        for (int step = 0; step < STEPS; step++) {
            for (int order = 0; order < queues.size(); order++) {
                producer.send(run.message(order + "-" + step, "TagA"), queues.get(order));
            }
        }
        Map<String, List<String>> steps = new ConcurrentHashMap<>();
        AtomicBoolean hasSuspended = new AtomicBoolean();
        DefaultMQPushConsumer consumer = run.newPush("group");
        consumer.subscribe(run.topic(), "*");
        consumer.registerMessageListener((MessageListenerOrderly) (messages, context) -> {
            String[] key = messages.get(0).getKeys().split("-");
            steps.computeIfAbsent(key[0], order -> new CopyOnWriteArrayList<>()).add(key[1]);
            if (messages.get(0).getKeys().equals("2-3") && hasSuspended.compareAndSet(false, true)) {
                return ConsumeOrderlyStatus.SUSPEND_CURRENT_QUEUE_A_MOMENT;
            }
            return ConsumeOrderlyStatus.SUCCESS;
        });
        consumer.start();
        int expected = queues.size() * STEPS + 1;
        Run.await(() -> steps.values().stream().mapToInt(List::size).sum() >= expected);
        new TreeMap<>(steps).forEach((order, seen) -> run.say("order " + order + ": " + String.join(" ", seen)));
    }

    static void broadcasting(Run run) throws Exception {
        Map<String, Run.Inbox> inboxes = new LinkedHashMap<>();
        for (String who : Arrays.asList("first", "second")) {
            Run.Inbox inbox = new Run.Inbox();
            DefaultMQPushConsumer consumer = run.newPush("group");
            Version.broadcast(consumer);
            consumer.subscribe(run.topic(), "*");
            consumer.registerMessageListener(inbox);
            consumer.start();
            inboxes.put(who, inbox);
        }
        DefaultMQProducer producer = run.producer();
        for (int number = 0; number < 8; number++) {
            producer.send(run.message("b" + number, "TagA"));
        }
        for (Run.Inbox inbox : inboxes.values()) {
            Run.await(() -> new HashSet<>(inbox.keys()).size() == 8);
        }
        Thread.sleep(LINGER_MILLIS);
        inboxes.forEach((who, inbox) -> {
            List<String> keys = new ArrayList<>(inbox.keys());
            run.say(who + ": " + Run.list(keys) + (keys.size() == 8 ? "" : " in " + keys.size()));
        });
    }
}
