// SPDX-License-Identifier: Apache-2.0
package programs;

import java.util.ArrayList;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.apache.rocketmq.client.consumer.DefaultMQPullConsumer;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.PullResult;
import org.apache.rocketmq.client.consumer.PullStatus;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.common.message.MessageQueue;

/** The old pull consumer, and offsets by the old and by the new way. */
@SuppressWarnings("deprecation")
final class Pulls {
    private static final int BATCH = 32;
    private static final long PAUSE_MILLIS = 50;
    private static final long LINGER_MILLIS = 1000;

    private Pulls() {
    }

    static void pull(Run run) throws Exception {
        DefaultMQProducer producer = run.producer();
        MessageQueue queue = run.queues(producer).get(0);
        for (int number = 0; number < 5; number++) {
            producer.send(run.message("p" + number, number % 2 == 0 ? "TagA" : "TagB"), queue);
        }
        DefaultMQPullConsumer consumer = consumer(run);
        Run.await(() -> consumer.fetchMessageQueuesInBalance(run.topic()).contains(queue));
        Run.await(() -> consumer.maxOffset(queue) == 5);
        run.say("min max: " + consumer.minOffset(queue) + ' ' + consumer.maxOffset(queue));
        run.say("pull 0: " + text(consumer.pull(queue, "*", 0, BATCH)));
        run.say("pull 5: " + text(consumer.pull(queue, "*", 5, BATCH)));
        run.say("pull 99: " + text(consumer.pull(queue, "*", 99, BATCH)));
        run.say("TagB: " + text(consumer.pull(queue, "TagB", 0, BATCH)));
        run.say("TagZ: " + text(consumer.pull(queue, "TagZ", 0, BATCH)));
        ExecutorService aside = Executors.newSingleThreadExecutor();
        Future<PullResult> blocked = aside.submit(() -> consumer.pullBlockIfNotFound(queue, "*", 5, BATCH));
        Thread.sleep(LINGER_MILLIS);
        producer.send(run.message("p5", "TagB"), queue);
        run.say("blocked: " + text(blocked.get()));
        aside.shutdown();
        consumer.updateConsumeOffset(queue, 3);
        consumer.shutdown();
        DefaultMQPullConsumer next = consumer(run);
        // The last consumer's offset goes one-way.
        Run.await(() -> next.fetchConsumeOffset(queue, true) == 3);
        run.say("stored: " + next.fetchConsumeOffset(queue, true));
    }

    private static DefaultMQPullConsumer consumer(Run run) throws Exception {
        DefaultMQPullConsumer consumer = new DefaultMQPullConsumer(run.name("group"));
        consumer.setNamesrvAddr(run.namesrv);
        consumer.setInstanceName(run.instance());
        // Only for such topics does it send its offsets to the broker when it ends.
        consumer.setRegisterTopics(new HashSet<>(Collections.singleton(run.topic())));
        run.atEnd(consumer::shutdown);
        consumer.start();
        return consumer;
    }

    private static String text(PullResult result) {
        List<String> words = new ArrayList<>();
        words.add(result.getPullStatus().name());
        if (result.getPullStatus() == PullStatus.FOUND) {
            result.getMsgFoundList().forEach(message -> words.add(message.getKeys()));
        }
        words.add("next=" + result.getNextBeginOffset());
        return String.join(" ", words);
    }

    static void offsets(Run run) throws Exception {
        DefaultMQProducer producer = run.producer();
        MessageQueue queue = run.queues(producer).get(0);
        producer.send(run.message("o0", "TagA"), queue);
        producer.send(run.message("o1", "TagA"), queue);
        Thread.sleep(PAUSE_MILLIS);
        long between = System.currentTimeMillis();
        Thread.sleep(PAUSE_MILLIS);
        for (int number = 2; number < 5; number++) {
            producer.send(run.message("o" + number, "TagA"), queue);
        }
        Run.await(() -> producer.maxOffset(queue) == 5);
        run.say("min max: " + producer.minOffset(queue) + ' ' + producer.maxOffset(queue));
        run.say("by time: " + producer.searchOffset(queue, between));
        run.say("by a time to come: " + producer.searchOffset(queue, between + 86_400_000));
        run.say("earliest is a time=" + (producer.earliestMsgStoreTime(queue) > 0));
        consume(run, "first", 5);
        producer.send(run.message("o5", "TagA"), queue);
        producer.send(run.message("o6", "TagA"), queue);
        consume(run, "second", 2);
    }

    private static void consume(Run run, String what, int count) throws Exception {
        Run.Inbox inbox = new Run.Inbox();
        DefaultMQPushConsumer consumer = run.newPush("group");
        consumer.subscribe(run.topic(), "*");
        consumer.registerMessageListener(inbox);
        consumer.start();
        Run.awaitSize(inbox, count);
        // What must not come would come now; and the last answers of the listener reach the offset table.
        Thread.sleep(LINGER_MILLIS);
        consumer.shutdown();
        run.say(what + ": " + Run.list(inbox.keys()));
    }
}
