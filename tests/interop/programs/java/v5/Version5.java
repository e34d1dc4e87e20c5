// SPDX-License-Identifier: Apache-2.0
package programs;

import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageAccessor;
import org.apache.rocketmq.common.message.MessageConst;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.message.MessageQueue;

/** What came with the 5.x clients. */
final class Version5 {
    private static final long RECALLED_IS_OVERDUE_MILLIS = 9000;

    private Version5() {
    }

    static void recall(Run run) throws Exception {
        Run.Inbox inbox = run.push("consumer", "*");
        DefaultMQProducer producer = run.producer();
        long start = System.currentTimeMillis();
        SendResult recalled = later(run, producer, "recalled", 6);
        later(run, producer, "kept", 2);
        String id = producer.recallMessage(run.topic(), recalled.getRecallHandle());
        run.say("recall: the id of the message=" + id.equals(recalled.getMsgId()));
        run.say("bad handle: " + recallBad(run, producer));
        Run.awaitSize(inbox, 1);
        Thread.sleep(Math.max(0, start + RECALLED_IS_OVERDUE_MILLIS - System.currentTimeMillis()));
        run.say("received: " + Run.list(inbox.keys()));
    }

    private static SendResult later(Run run, DefaultMQProducer producer, String key, int seconds) throws Exception {
        Message message = run.message(key, "TagA");
        message.setDelayTimeSec(seconds);
        SendResult result = producer.send(message);
        run.say(key + ": " + result.getSendStatus());
        return result;
    }

    private static String recallBad(Run run, DefaultMQProducer producer) throws Exception {
        try {
            return producer.recallMessage(run.topic(), "bm8gaGFuZGxl");
        } catch (Exception e) {
            return "refused";
        }
    }

    static void priority(Run run) throws Exception {
        DefaultMQProducer producer = run.producer();
        MessageQueue first = run.queues(producer).get(0);
        for (int priority : new int[] {0, 2, 3, 9}) {
            sayQueue(run, producer, first, priority, run.message("p" + priority, "TagA"));
        }
        Message ordered = run.message("ordered", "TagA");
        MessageAccessor.putProperty(ordered, MessageConst.PROPERTY_SHARDING_KEY, "order");
        sayQueue(run, producer, first, 3, ordered);
        List<String> received = new CopyOnWriteArrayList<>();
        DefaultMQPushConsumer consumer = run.newPush("group");
        consumer.setClientRebalance(false);
        consumer.setConsumeThreadMin(1);
        consumer.setConsumeThreadMax(1);
        consumer.subscribe(run.topic(), "*");
        consumer.registerMessageListener((MessageListenerConcurrently) (messages, context) -> {
            received.add(messages.get(0).getKeys() + '=' + messages.get(0).getPriority());
            return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
        });
        consumer.start();
        Run.await(() -> received.size() >= 5);
        run.say("received: " + String.join(" ", received));
    }

    private static void sayQueue(Run run, DefaultMQProducer producer, MessageQueue queue, int priority, Message message)
        throws Exception {
        message.setPriority(priority);
        run.say(message.getKeys() + ": queue " + producer.send(message, queue).getMessageQueue().getQueueId());
    }

    static void pop(Run run) throws Exception {
        List<Integer> times = new CopyOnWriteArrayList<>();
        Run.Inbox inbox = new Run.Inbox();
        DefaultMQPushConsumer consumer = run.newPush("group");
        consumer.setClientRebalance(false);
        // The shortest time after which the broker hands out again what was not acknowledged.
        consumer.setPopInvisibleTime(10_000);
        consumer.subscribe(run.topic(), "*");
        consumer.registerMessageListener((MessageListenerConcurrently) (messages, context) -> {
            MessageExt message = messages.get(0);
            if (message.getKeys().equals("p3")) {
                times.add(message.getReconsumeTimes());
                if (times.size() == 1) {
                    return ConsumeConcurrentlyStatus.RECONSUME_LATER;
                }
            }
            inbox.add(messages);
            return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
        });
        consumer.start();
        DefaultMQProducer producer = run.producer();
        for (int number = 0; number < 8; number++) {
            producer.send(run.message("p" + number, "TagA"));
        }
        Run.awaitSize(inbox, 8);
        run.say("received: " + Run.list(inbox.keys()));
        StringBuilder seen = new StringBuilder("p3: times");
        times.forEach(time -> seen.append(' ').append(time));
        run.say(seen.toString());
    }
}
