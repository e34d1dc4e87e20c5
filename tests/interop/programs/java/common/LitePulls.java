// SPDX-License-Identifier: Apache-2.0
package programs;

import java.util.ArrayList;
import java.util.List;
import org.apache.rocketmq.client.consumer.DefaultLitePullConsumer;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.common.consumer.ConsumeFromWhere;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.message.MessageQueue;

/** The lite pull consumer: subscribe, assign, seek, commit. */
final class LitePulls {
    private static final int EACH = 4;
    private static final long POLL_MILLIS = 200;

    private LitePulls() {
    }

    static void litepull(Run run) throws Exception {
        DefaultMQProducer producer = run.producer();
        List<MessageQueue> queues = run.queues(producer);
        for (int queue = 0; queue < queues.size(); queue++) {
            for (int number = 0; number < EACH; number++) {
                producer.send(run.message(queue + "-" + number, "TagA"), queues.get(queue));
            }
        }
        DefaultLitePullConsumer subscribed = subscribed(run);
        run.say("subscribed: " + poll(subscribed, queues.size() * EACH));
        commit(subscribed, queues);
        subscribed.shutdown();
        assigned(run, producer, queues);
        // Its position was committed before x was sent.
        run.say("resumed: " + poll(subscribed(run), 1));
    }

    private static void assigned(Run run, DefaultMQProducer producer, List<MessageQueue> queues) throws Exception {
        DefaultLitePullConsumer consumer = lite(run, "assigned");
        consumer.start();
        consumer.assign(queues);
        StringBuilder times = new StringBuilder("offset for time 0:");
        for (MessageQueue queue : queues) {
            times.append(' ').append(consumer.offsetForTimestamp(queue, 0L));
        }
        run.say(times.toString());
        for (MessageQueue queue : queues) {
            consumer.seekToBegin(queue);
        }
        run.say("from the begin: " + poll(consumer, queues.size() * EACH));
        consumer.seek(queues.get(0), 2);
        run.say("from 2: " + poll(consumer, EACH - 2));
        commit(consumer, queues);
        StringBuilder committed = new StringBuilder("committed:");
        for (MessageQueue queue : queues) {
            committed.append(' ').append(consumer.committed(queue));
        }
        run.say(committed.toString());
        for (MessageQueue queue : queues) {
            consumer.seekToEnd(queue);
        }
        producer.send(run.message("x", "TagA"), queues.get(0));
        run.say("at the end: " + poll(consumer, 1));
    }

    private static DefaultLitePullConsumer subscribed(Run run) throws Exception {
        DefaultLitePullConsumer consumer = lite(run, "subscribed");
        consumer.subscribe(run.topic(), "*");
        consumer.start();
        return consumer;
    }

    private static DefaultLitePullConsumer lite(Run run, String group) {
        DefaultLitePullConsumer consumer = new DefaultLitePullConsumer(run.name(group));
        consumer.setNamesrvAddr(run.namesrv);
        consumer.setInstanceName(run.instance());
        consumer.setConsumeFromWhere(ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET);
        consumer.setAutoCommit(false);
        run.atEnd(consumer::shutdown);
        return consumer;
    }

    private static String poll(DefaultLitePullConsumer consumer, int count) throws Exception {
        List<String> keys = new ArrayList<>();
        Run.await(() -> {
            for (MessageExt message : consumer.poll(POLL_MILLIS)) {
                keys.add(message.getKeys());
            }
            return keys.size() >= count;
        });
        return Run.list(keys) + (keys.size() == count ? "" : " in " + keys.size());
    }

    @SuppressWarnings("deprecation")
    private static void commit(DefaultLitePullConsumer consumer, List<MessageQueue> queues) throws Exception {
        consumer.commitSync();
        // Commits go one-way; the broker has this one when it says so.
        Run.await(() -> queues.stream().allMatch(queue -> has(consumer, queue)));
    }

    private static boolean has(DefaultLitePullConsumer consumer, MessageQueue queue) {
        try {
            Long committed = consumer.committed(queue);
            return committed != null && committed == EACH;
        } catch (Exception e) {
            return false;
        }
    }
}
