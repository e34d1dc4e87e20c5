// SPDX-License-Identifier: Apache-2.0
package programs;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.common.message.Message;

/** Messages that are to arrive later. */
final class Delays {
    private static final int[] LEVEL_SECONDS = {0, 1, 5, 10};
    /** Brokers round timer messages down to this (timerPrecisionMs). */
    private static final long PRECISION_MILLIS = 1000;
    private static final int FOUR_DAYS_SECONDS = 4 * 24 * 3600;

    private Delays() {
    }

    /** When each message arrived, how long after its birth, and the delay level it still had. */
    static final class Arrivals {
        final Map<String, Long> at = new ConcurrentHashMap<>();
        final Map<String, Long> millis = new ConcurrentHashMap<>();
        final Map<String, Integer> levels = new ConcurrentHashMap<>();

        Arrivals(Run run) throws Exception {
            DefaultMQPushConsumer consumer = run.newPush("consumer");
            consumer.subscribe(run.topic(), "*");
            consumer.registerMessageListener((MessageListenerConcurrently) (messages, context) -> {
                messages.forEach(message -> {
                    long now = System.currentTimeMillis();
                    at.put(message.getKeys(), now);
                    levels.put(message.getKeys(), message.getDelayTimeLevel());
                    millis.put(message.getKeys(), now - message.getBornTimestamp());
                });
                return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
            });
            consumer.start();
        }
    }

    static void delay(Run run) throws Exception {
        Arrivals arrivals = new Arrivals(run);
        DefaultMQProducer producer = run.producer();
        for (int level = 0; level < LEVEL_SECONDS.length; level++) {
            Message message = run.message("d" + level, "TagA");
            message.setDelayTimeLevel(level);
            run.saySend(message.getKeys(), () -> producer.send(message));
        }
        Run.await(() -> arrivals.millis.size() == LEVEL_SECONDS.length);
        List<String> lines = new ArrayList<>();
        arrivals.millis.forEach((key, millis) -> lines.add("received key=" + key + " not early="
            + (millis >= LEVEL_SECONDS[key.charAt(1) - '0'] * 1000L) + " level=" + arrivals.levels.get(key)));
        run.sayAll(lines);
    }

    static void timer(Run run) throws Exception {
        Arrivals arrivals = new Arrivals(run);
        DefaultMQProducer producer = run.producer();
        long start = System.currentTimeMillis();
        Message seconds = run.message("seconds", "TagA");
        Version.setDelaySeconds(seconds, 2);
        Message millis = run.message("millis", "TagA");
        Version.setDelayMillis(millis, 1500);
        Message deliver = run.message("deliver", "TagA");
        Version.setDeliverMillis(deliver, start + 3000);
        for (Message message : new Message[] {seconds, millis, deliver}) {
            run.saySend(message.getKeys(), () -> producer.send(message));
        }
        Message far = run.message("far", "TagA");
        Version.setDelaySeconds(far, FOUR_DAYS_SECONDS);
        run.saySend("far", () -> producer.send(far));
        Map<String, Long> due = new TreeMap<>();
        due.put("seconds", start + 2000);
        due.put("millis", start + 1500);
        due.put("deliver", start + 3000);
        Run.await(() -> arrivals.at.keySet().containsAll(due.keySet()));
        List<String> lines = new ArrayList<>();
        arrivals.at.forEach((key, at) -> lines.add("received key=" + key + " not early="
            + (at >= due.getOrDefault(key, Long.MAX_VALUE) - PRECISION_MILLIS)));
        run.sayAll(lines);
    }
}
