// SPDX-License-Identifier: Apache-2.0
package interop;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Semaphore;
import org.apache.rocketmq.client.exception.MQBrokerException;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.SendCallback;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageQueue;

/** Sends numbered messages and prints what became of each. */
final class Produce implements ClientTool.Job {
    /** Asynchronous sends under way at one time; more would only measure the client's own queue. */
    private static final int WINDOW = 256;

    private final Lines lines;
    private final Until until = new Until();
    private final Semaphore window = new Semaphore(WINDOW);
    private final DefaultMQProducer producer;
    private final String topic;
    private final String tag;
    private final String prefix;
    private final String mode;
    /** Send to this broker only; null: as the client chooses. */
    private final String broker;
    private final int first;
    /** 0: until standard input closes. */
    private final int count;
    private final int batch;
    private final int bodyBytes;
    private final int pauseMillis;
    private final int timeoutMillis;
    /** Stay connected, when all is sent, until standard input closes. */
    private final boolean stay;
    /** 0: no timer message. */
    private final int delayMillis;
    /** Every n-th message is recalled as soon as it is sent; 0: none. */
    private final int recallEvery;
    private List<MessageQueue> queues;
    private int next;

    Produce(Options options, Lines lines) {
        this.lines = lines;
        topic = options.text("topic");
        tag = options.text("tag", "");
        prefix = options.text("prefix", "k");
        mode = options.text("mode", "sync");
        broker = options.text("broker", null);
        first = options.number("first", 0);
        count = options.number("count", 0);
        batch = options.number("batch", 10);
        bodyBytes = options.number("body-bytes", 128);
        pauseMillis = options.number("pause-millis", 0);
        timeoutMillis = options.number("timeout-millis", 3000);
        stay = options.flag("stay");
        delayMillis = options.number("delay-millis", 0);
        recallEvery = options.number("recall-every", 0);
        producer = new DefaultMQProducer(options.text("group", "interop-producer"), options.hook());
        producer.setNamesrvAddr(options.text("namesrv"));
        producer.setInstanceName(options.text("instance", "producer-" + ProcessHandle.current().pid()));
        producer.setSendMsgTimeout(timeoutMillis);
        producer.setRetryTimesWhenSendFailed(options.number("retries", 2));
        producer.setRetryTimesWhenSendAsyncFailed(options.number("retries", 2));
        producer.setCompressMsgBodyOverHowmuch(options.number("compress-over-bytes", 4096));
        // The route is asked for every 30 s by default; a failover test must not wait for the client's habits alone.
        producer.setPollNameServerInterval(options.number("poll-route-millis", 30000));
        producer.setEnableTrace(options.flag("trace"));
        producer.setTraceTopic(options.text("trace-topic", null));
    }

    @Override
    public void run() throws Exception {
        producer.start();
        lines.print("ready");
        next = first;
        while (!until.stdinIsClosed() && (count == 0 || next < first + count)) {
            step();
            if (pauseMillis > 0) {
                Thread.sleep(pauseMillis);
            }
        }
        window.acquire(WINDOW);
        if (stay) {
            until.await();
        }
        producer.shutdown();
        lines.print("done", "next", next);
    }

    private void step() throws Exception {
        if (mode.equals("batch")) {
            sendBatch();
            return;
        }
        Message message = message(next++);
        long start = System.nanoTime();
        try {
            switch (mode) {
                case "sync":
                    SendResult result = sendSync(message);
                    printSent(message.getKeys(), result, start);
                    if (recallEvery > 0 && next % recallEvery == 0) {
                        lines.print("recalled", "key", message.getKeys(),
                            "msgId", producer.recallMessage(topic, result.getRecallHandle()));
                    }
                    break;
                case "async":
                    sendAsync(message, start);
                    break;
                case "oneway":
                    producer.sendOneway(message);
                    lines.print("posted", "key", message.getKeys());
                    break;
                default:
                    throw new IllegalArgumentException("no such mode: " + mode);
            }
        } catch (InterruptedException | IllegalArgumentException e) {
            throw e;
        } catch (Exception e) {
            printFailed(message.getKeys(), e, start);
        }
    }

    private SendResult sendSync(Message message) throws Exception {
        return broker == null ? producer.send(message) : producer.send(message, queueOfBroker());
    }

    private MessageQueue queueOfBroker() throws Exception {
        if (queues == null) {
            queues = new ArrayList<>(producer.fetchPublishMessageQueues(topic));
            queues.removeIf(queue -> !queue.getBrokerName().equals(broker));
        }
        return queues.get(next % queues.size());
    }

    private void sendAsync(Message message, long start) throws Exception {
        window.acquire();
        SendCallback callback = new SendCallback() {
            @Override
            public void onSuccess(SendResult result) {
                printSent(message.getKeys(), result, start);
                window.release();
            }

            @Override
            public void onException(Throwable error) {
                printFailed(message.getKeys(), error, start);
                window.release();
            }
        };
        try {
            if (broker == null) {
                producer.send(message, callback);
            } else {
                producer.send(message, queueOfBroker(), callback);
            }
        } catch (Exception e) {
            callback.onException(e);
        }
    }

    private void sendBatch() throws InterruptedException {
        List<Message> messages = new ArrayList<>();
        StringBuilder keys = new StringBuilder();
        while (messages.size() < batch && (count == 0 || next < first + count)) {
            Message message = message(next++);
            messages.add(message);
            keys.append(keys.length() == 0 ? "" : ",").append(message.getKeys());
        }
        long start = System.nanoTime();
        try {
            printSent(keys.toString(), producer.send(messages), start);
        } catch (InterruptedException e) {
            throw e;
        } catch (Exception e) {
            printFailed(keys.toString(), e, start);
        }
    }

    private Message message(int number) {
        String key = String.format("%s%07d", prefix, number);
        Message message = new Message(topic, tag, key, Body.of(key, bodyBytes));
        message.putUserProperty("number", Integer.toString(number));
        if (delayMillis > 0) {
            message.setDelayTimeMs(delayMillis);
        }
        return message;
    }

    private void printSent(String keys, SendResult result, long start) {
        lines.print("sent", "key", keys, "status", result.getSendStatus(), "msgId", result.getMsgId(),
            "offsetMsgId", result.getOffsetMsgId(), "broker", result.getMessageQueue().getBrokerName(),
            "queueId", result.getMessageQueue().getQueueId(), "queueOffset", result.getQueueOffset(),
            "millis", millisSince(start));
    }

    private void printFailed(String keys, Throwable error, long start) {
        // After the last try the broker's answer is the cause of the client's own exception.
        Throwable answer = error instanceof MQBrokerException ? error : error.getCause();
        Integer code = answer instanceof MQBrokerException ? ((MQBrokerException) answer).getResponseCode() : null;
        lines.print("failed", "key", keys, "code", code, "error", error.toString(), "millis", millisSince(start));
    }

    private static double millisSince(long startNanos) {
        return (System.nanoTime() - startNanos) / 1000 / 1000.0;
    }
}
