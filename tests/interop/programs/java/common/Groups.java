// SPDX-License-Identifier: Apache-2.0
package programs;

import java.util.ArrayList;
import java.util.Collection;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.rocketmq.client.consumer.AllocateMessageQueueStrategy;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.rebalance.AllocateMessageQueueAveragely;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageQueue;

/** Consumers that share queues, and a topic that a client makes. */
final class Groups {
    /** Clients look for each other every 20 s; sooner means that the broker has told them. */
    private static final long TOLD_MILLIS = 15_000;

    private Groups() {
    }

    /** The client's own strategy, which lets see how many queues of a topic it gave. */
    private static final class Share extends AllocateMessageQueueAveragely {
        final AtomicInteger queues = new AtomicInteger(-1);
        private final String topic;

        Share(String topic) {
            this.topic = topic;
        }

        @Override
        public List<MessageQueue> allocate(String group, String client, List<MessageQueue> all, List<String> clients) {
            List<MessageQueue> mine = super.allocate(group, client, all, clients);
            // The topic of the group's retries is shared out in the same way.
            if (all.get(0).getTopic().equals(topic)) {
                queues.set(mine.size());
            }
            return mine;
        }
    }

    static void rebalance(Run run) throws Exception {
        Share first = new Share(run.topic());
        consumer(run, first);
        Run.await(() -> first.queues.get() == 4);
        run.say("alone: " + first.queues);
        Share second = new Share(run.topic());
        DefaultMQPushConsumer another = consumer(run, second);
        boolean told = Run.await(() -> first.queues.get() == 2 && second.queues.get() == 2, TOLD_MILLIS);
        run.say("shared: " + first.queues + ' ' + second.queues);
        another.shutdown();
        told &= Run.await(() -> first.queues.get() == 4, TOLD_MILLIS);
        run.say("alone again: " + first.queues);
        run.say("told at once=" + told);
    }

    private static DefaultMQPushConsumer consumer(Run run, AllocateMessageQueueStrategy strategy) throws Exception {
        DefaultMQPushConsumer consumer = run.newPush("group");
        consumer.setAllocateMessageQueueStrategy(strategy);
        consumer.subscribe(run.topic(), "*");
        consumer.registerMessageListener(new Run.Inbox());
        consumer.start();
        return consumer;
    }

    static void createtopic(Run run) throws Exception {
        DefaultMQProducer producer = run.producer();
        String made = run.name("made");
        Version.createTopic(producer, made, 3);
        Map<String, Integer> queues = new TreeMap<>();
        producer.fetchPublishMessageQueues(made).forEach(queue -> queues.merge(queue.getBrokerName(), 1, Integer::sum));
        run.say("queues: " + text(queues.values()));
        run.saySend("m0", () -> producer.send(new Message(made, "TagA", "m0", Run.bytes("body of m0"))));
        Run.Inbox inbox = new Run.Inbox();
        DefaultMQPushConsumer consumer = run.newPush("consumer");
        consumer.subscribe(made, "*");
        consumer.registerMessageListener(inbox);
        consumer.start();
        Run.awaitSize(inbox, 1);
        inbox.all().forEach(message -> run.say(Run.received(message)));
    }

    private static String text(Collection<Integer> counts) {
        List<String> words = new ArrayList<>();
        counts.forEach(count -> words.add(String.valueOf(count)));
        Collections.sort(words);
        return String.join(" ", words);
    }
}
