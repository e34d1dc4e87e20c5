// SPDX-License-Identifier: Apache-2.0
package programs;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.common.message.MessageExt;

/** Consume again later, and what becomes of a message that nobody can consume. */
final class Retries {
    /** The first step back that a broker chooses by itself: level 3. */
    private static final long FIRST_BACK_OFF_MILLIS = 10_000;

    private Retries() {
    }

    static void retry(Run run) throws Exception {
        Map<String, List<Integer>> times = new ConcurrentHashMap<>();
        List<Long> once = new CopyOnWriteArrayList<>();
        List<String> topics = new CopyOnWriteArrayList<>();
        times.put("once", new CopyOnWriteArrayList<>());
        times.put("never", new CopyOnWriteArrayList<>());
        DefaultMQPushConsumer consumer = run.newPush("group");
        consumer.setMaxReconsumeTimes(2);
        consumer.subscribe(run.topic(), "*");
        consumer.registerMessageListener((MessageListenerConcurrently) (messages, context) -> {
            MessageExt message = messages.get(0);
            times.get(message.getKeys()).add(message.getReconsumeTimes());
            topics.add(message.getTopic());
            if (message.getKeys().equals("once")) {
                once.add(System.currentTimeMillis());
                return message.getReconsumeTimes() == 0 ? ConsumeConcurrentlyStatus.RECONSUME_LATER
                    : ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
            }
            context.setDelayLevelWhenNextConsume(1);
            return ConsumeConcurrentlyStatus.RECONSUME_LATER;
        });
        consumer.start();
        DefaultMQProducer producer = run.producer();
        producer.send(run.message("once", "TagA"));
        producer.send(run.message("never", "TagA"));
        Run.await(() -> once.size() >= 2 && times.get("never").size() >= 3);
        run.say("once: times " + text(times.get("once")));
        run.say("once: not before 10 s=" + (once.size() > 1 && once.get(1) - once.get(0) >= FIRST_BACK_OFF_MILLIS));
        run.say("never: times " + text(times.get("never")));
        run.say("topic is its own=" + topics.stream().allMatch(run.topic()::equals));

        Run.Inbox dead = new Run.Inbox();
        DefaultMQPushConsumer reader = run.newPush("reader");
        // The topic is made by the first dead letter; its route may be a moment behind.
        reader.setPollNameServerInterval(1000);
        reader.subscribe("%DLQ%" + run.name("group"), "*");
        reader.registerMessageListener(dead);
        reader.start();
        Run.awaitSize(dead, 1);
        for (MessageExt message : dead.all()) {
            run.say("dead letter key=" + message.getKeys() + " body=" + Run.text(message.getBody()));
        }
    }

    private static String text(List<Integer> times) {
        List<String> words = new ArrayList<>();
        times.forEach(time -> words.add(String.valueOf(time)));
        return String.join(" ", words);
    }
}
