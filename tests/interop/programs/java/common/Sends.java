// SPDX-License-Identifier: Apache-2.0
package programs;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.MessageQueueSelector;
import org.apache.rocketmq.client.producer.SendCallback;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.message.MessageQueue;

/** What a producer can ask of a send, and what is refused. */
final class Sends {
    private static final int MIB = 1 << 20;

    private Sends() {
    }

    static void plain(Run run) throws Exception {
        DefaultMQProducer producer = run.producer();
        run.saySend("sync", () -> producer.send(colored(run, "sync", "TagA", "red")));
        CompletableFuture<SendResult> answer = new CompletableFuture<>();
        producer.send(colored(run, "async", "TagB", "green"), new SendCallback() {
            @Override
            public void onSuccess(SendResult result) {
                answer.complete(result);
            }

            @Override
            public void onException(Throwable error) {
                answer.completeExceptionally(error);
            }
        });
        run.saySend("async", () -> answer.get(Run.DEADLINE_MILLIS, TimeUnit.MILLISECONDS));
        producer.sendOneway(colored(run, "oneway", "TagC", "blue"));
        run.say("oneway: sent");
        run.saySend("large", () -> producer.send(new Message(run.topic(), "TagA", "large", Run.large(5000))));

        DefaultMQProducer big = big(run);
        run.saySend("full", () -> big.send(new Message(run.topic(), "TagA", "full", Run.large(4 * MIB))));
        run.saySend("over", () -> big.send(new Message(run.topic(), "TagA", "over", Run.large(4 * MIB + 1))));
        Message wordy = run.message("props", "TagA");
        wordy.putUserProperty("big", new String(new char[33_000]).replace('\0', 'x'));
        run.saySend("props", () -> big.send(wordy));

        Run.Inbox inbox = run.push("consumer", "*");
        Run.awaitSize(inbox, 5);
        List<String> lines = new ArrayList<>();
        for (MessageExt message : inbox.all()) {
            String color = message.getUserProperty("color");
            lines.add("received key=" + message.getKeys() + " tag=" + message.getTags() + " bytes="
                + message.getBody().length + " crc=" + Run.crc(message.getBody()) + " color="
                + (color == null ? "-" : color));
        }
        run.sayAll(lines);
    }

    private static Message colored(Run run, String key, String tag, String color) {
        Message message = run.message(key, tag);
        message.putUserProperty("color", color);
        return message;
    }

    /** Compresses nothing, and leaves the limit to the broker. */
    private static DefaultMQProducer big(Run run) throws Exception {
        DefaultMQProducer producer = run.newProducer();
        producer.setCompressMsgBodyOverHowmuch(Integer.MAX_VALUE);
        producer.setMaxMessageSize(8 * MIB);
        producer.start();
        return producer;
    }

    static void selector(Run run) throws Exception {
        DefaultMQProducer producer = run.producer();
        MessageQueueSelector byNumber = (queues, message, number) -> {
            List<MessageQueue> sorted = new ArrayList<>(queues);
            sorted.sort(Comparator.naturalOrder());
            return sorted.get((Integer) number % sorted.size());
        };
        int sent = 0;
        for (int number = 0; number < 12; number++) {
            Message message = new Message(run.topic(), "TagA", String.valueOf(number), Run.bytes(String.valueOf(number)));
            producer.send(message, byNumber, number);
            sent++;
        }
        run.say("sent: " + sent);
        Run.Inbox inbox = run.push("consumer", "*");
        Run.awaitSize(inbox, sent);
        Map<String, TreeMap<Long, String>> queues = new TreeMap<>();
        for (MessageExt message : inbox.all()) {
            queues.computeIfAbsent(message.getBrokerName() + message.getQueueId(), key -> new TreeMap<>())
                .put(message.getQueueOffset(), Run.text(message.getBody()));
        }
        List<String> lines = new ArrayList<>();
        queues.values().forEach(queue -> lines.add("queue: " + String.join(" ", queue.values())));
        run.sayAll(lines);
    }

    static void batch(Run run) throws Exception {
        DefaultMQProducer producer = run.producer();
        List<Message> messages = new ArrayList<>();
        for (int number = 0; number < 10; number++) {
            messages.add(run.message("b" + number, "TagA"));
        }
        run.saySend("batch", () -> producer.send(messages));
        Run.Inbox inbox = run.push("consumer", "*");
        Run.awaitSize(inbox, messages.size());
        List<MessageExt> received = inbox.all();
        received.sort(Comparator.comparingLong(MessageExt::getQueueOffset));
        boolean inARow = true;
        for (int i = 0; i < received.size(); i++) {
            MessageExt message = received.get(i);
            inARow &= message.getKeys().equals("b" + i) && message.getQueueId() == received.get(0).getQueueId()
                && message.getQueueOffset() == received.get(0).getQueueOffset() + i;
        }
        List<String> lines = new ArrayList<>();
        received.forEach(message -> lines.add(Run.received(message)));
        run.sayAll(lines);
        run.say("one queue, one after the other: " + inARow);
    }

    static void batchover(Run run) throws Exception {
        List<Message> tooMuch = new ArrayList<>();
        for (int number = 0; number < 5; number++) {
            tooMuch.add(new Message(run.topic(), "TagA", "over", Run.large(MIB)));
        }
        DefaultMQProducer big = big(run);
        run.saySend("over", () -> big.send(tooMuch));
    }

    static void refused(Run run) throws Exception {
        DefaultMQProducer producer = run.newProducer();
        producer.setCreateTopicKey(run.name("nothing"));
        producer.start();
        // The first send makes the client know the brokers' addresses.
        MessageQueue queue = run.queues(producer).get(0);
        run.saySend("first", () -> producer.send(run.message("first", "TagA"), queue));
        String broker = queue.getBrokerName();
        String outside = Run.sent(() -> producer.send(run.message("outside", "TagA"),
            new MessageQueue(run.topic(), broker, 99)));
        run.say("queue 99: " + outside.split(" \\[|, ")[0]);
        sendTo(run, producer, "read only", run.name("readonly"), broker);
        sendTo(run, producer, "unknown", run.name("unknown"), broker);
    }

    private static void sendTo(Run run, DefaultMQProducer producer, String what, String topic, String broker)
        throws Exception {
        String answer = Run.sent(() -> producer.send(new Message(topic, "TagA", what, Run.bytes(what)),
            new MessageQueue(topic, broker, 0)));
        run.say(what + ": " + answer.replace(topic, "<topic>"));
    }
}
