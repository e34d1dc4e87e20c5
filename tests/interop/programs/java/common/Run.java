// SPDX-License-Identifier: Apache-2.0
package programs;

import java.io.UnsupportedEncodingException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.Deque;
import java.util.List;
import java.util.TreeSet;
import java.util.concurrent.Callable;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.zip.CRC32;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.client.exception.MQBrokerException;
import org.apache.rocketmq.client.exception.MQClientException;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.common.consumer.ConsumeFromWhere;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.message.MessageQueue;

/** One run of one case: its names, its clients, its transcript. */
final class Run {
    static final long DEADLINE_MILLIS = 60_000;
    private static final int POLL_MILLIS = 20;
    /** A busy machine is no reason to send twice. */
    private static final int SEND_MILLIS = 20_000;

    final String namesrv;
    private final String base;
    private final AtomicInteger instances = new AtomicInteger();
    private final StringBuffer lines = new StringBuffer();
    private final Deque<Runnable> shutdowns = new ArrayDeque<>();

    Run(String name, String namesrv, String prefix) {
        this.namesrv = namesrv;
        base = prefix + name;
    }

    String transcript(Programs.Program program) {
        try {
            program.run(this);
        } catch (Throwable e) {
            System.err.println("--- " + base);
            e.printStackTrace();
            say("failed: " + e);
        }
        while (!shutdowns.isEmpty()) {
            shutdowns.pop().run();
        }
        return lines.toString();
    }

    void say(String line) {
        lines.append(line).append('\n');
    }

    void sayAll(Collection<String> sorted) {
        new TreeSet<>(sorted).forEach(this::say);
    }

    // ---- names and clients -------------------------------------------------------------------------------------

    String topic() {
        return base;
    }

    String name(String part) {
        return base + '-' + part;
    }

    /** Instances of its own: no connection serves two cases. */
    String instance() {
        return base + '-' + instances.incrementAndGet();
    }

    /** Ended with the case, unless it ends sooner. */
    void atEnd(Runnable shutdown) {
        shutdowns.push(shutdown);
    }

    DefaultMQProducer newProducer() {
        return prepared(new DefaultMQProducer(name("producer")));
    }

    <P extends DefaultMQProducer> P prepared(P producer) {
        producer.setNamesrvAddr(namesrv);
        producer.setInstanceName(instance());
        producer.setSendMsgTimeout(SEND_MILLIS);
        producer.setRetryTimesWhenSendFailed(0);
        producer.setRetryTimesWhenSendAsyncFailed(0);
        atEnd(producer::shutdown);
        return producer;
    }

    DefaultMQProducer producer() throws MQClientException {
        DefaultMQProducer producer = newProducer();
        producer.start();
        return producer;
    }

    DefaultMQPushConsumer newPush(String group) {
        return prepared(new DefaultMQPushConsumer(name(group)));
    }

    DefaultMQPushConsumer prepared(DefaultMQPushConsumer consumer) {
        consumer.setNamesrvAddr(namesrv);
        consumer.setInstanceName(instance());
        consumer.setConsumeFromWhere(ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET);
        consumer.setConsumeMessageBatchMaxSize(1);
        atEnd(consumer::shutdown);
        return consumer;
    }

    /** A running push consumer of the case's topic. */
    Inbox push(String group, String tags) throws MQClientException {
        Inbox inbox = new Inbox();
        DefaultMQPushConsumer consumer = newPush(group);
        consumer.subscribe(topic(), tags);
        consumer.registerMessageListener(inbox);
        consumer.start();
        return inbox;
    }

    /** Keeps what arrives. */
    static final class Inbox implements MessageListenerConcurrently {
        private final List<MessageExt> messages = new ArrayList<>();

        @Override
        public ConsumeConcurrentlyStatus consumeMessage(List<MessageExt> arrived,
            org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyContext context) {
            add(arrived);
            return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
        }

        synchronized void add(List<MessageExt> arrived) {
            messages.addAll(arrived);
        }

        synchronized List<MessageExt> all() {
            return new ArrayList<>(messages);
        }

        synchronized int size() {
            return messages.size();
        }

        List<String> keys() {
            List<String> keys = new ArrayList<>();
            all().forEach(message -> keys.add(message.getKeys()));
            return keys;
        }
    }

    // ---- waiting -----------------------------------------------------------------------------------------------

    /** Whether it came to be true in time; the transcript shows what there is in any case. */
    static boolean await(Callable<Boolean> condition) throws Exception {
        return await(condition, DEADLINE_MILLIS);
    }

    static boolean await(Callable<Boolean> condition, long withinMillis) throws Exception {
        long deadline = System.currentTimeMillis() + withinMillis;
        while (!condition.call()) {
            if (System.currentTimeMillis() >= deadline) {
                return false;
            }
            Thread.sleep(POLL_MILLIS);
        }
        return true;
    }

    static void awaitSize(Inbox inbox, int count) throws Exception {
        await(() -> inbox.size() >= count);
    }

    // ---- messages and their text -------------------------------------------------------------------------------

    Message message(String key, String tag) {
        return new Message(topic(), tag, key, bytes("body of " + key));
    }

    static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    static String text(byte[] body) {
        return new String(body, StandardCharsets.UTF_8);
    }

    static byte[] large(int count) {
        byte[] body = new byte[count];
        for (int i = 0; i < count; i++) {
            body[i] = (byte) (i * 31L % 251);
        }
        return body;
    }

    static String crc(byte[] body) {
        CRC32 crc = new CRC32();
        crc.update(body);
        return String.format("%08x", crc.getValue());
    }

    static String received(Message message) {
        return "received key=" + message.getKeys() + " tag=" + message.getTags() + " body=" + text(message.getBody());
    }

    /** Keys, sorted, each once. */
    static String list(Collection<String> keys) {
        return keys.isEmpty() ? "-" : String.join(" ", new TreeSet<>(keys));
    }

    /** The topic's queues by broker name, then id. */
    List<MessageQueue> queues(DefaultMQProducer producer) throws MQClientException {
        List<MessageQueue> queues = new ArrayList<>(producer.fetchPublishMessageQueues(topic()));
        queues.sort(Comparator.naturalOrder());
        return queues;
    }

    void saySend(String what, Callable<SendResult> send) throws Exception {
        say(what + ": " + sent(send));
    }

    /** The status, or the code and the first line of the broker's remark. */
    static String sent(Callable<SendResult> send) throws Exception {
        try {
            return send.call().getSendStatus().name();
        } catch (Exception e) {
            return refusal(e);
        }
    }

    static String refusal(Throwable error) throws UnsupportedEncodingException {
        for (Throwable cause = error; cause != null; cause = cause.getCause()) {
            if (cause instanceof MQBrokerException) {
                MQBrokerException refused = (MQBrokerException) cause;
                return "code=" + refused.getResponseCode() + ' ' + refused.getErrorMessage().split("\n")[0].trim();
            }
        }
        return "failed: " + error;
    }
}
