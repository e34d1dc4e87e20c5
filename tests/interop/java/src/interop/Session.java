// SPDX-License-Identifier: Apache-2.0
package interop;

import com.alibaba.fastjson2.JSON;
import com.alibaba.fastjson2.JSONObject;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Semaphore;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.rocketmq.client.producer.LocalTransactionState;
import org.apache.rocketmq.client.producer.SendCallback;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.client.producer.TransactionListener;
import org.apache.rocketmq.client.producer.TransactionMQProducer;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.message.MessageQueue;

/**
 * One producer that lives through many lives of a broker and does as it is told: each line of standard input is a
 * command as a JSON object, `do` names it. Transactions stay undecided until a command decides them, so that the broker
 * that asks may be another one than the broker that was told.
 */
final class Session implements ClientTool.Job, TransactionListener {
    private static final int FLOOD_WINDOW = 64;
    private static final int BROKER_HEARTBEAT_MILLIS = 1000;
    private static final int MAX_MESSAGE_BYTES = 4 << 20;

    private final Lines lines;
    private final TransactionMQProducer producer;
    private final Map<String, LocalTransactionState> decided = new ConcurrentHashMap<>();
    private final AtomicInteger floodNumber = new AtomicInteger();
    private volatile boolean floods;
    private Thread flood;

    Session(Options options, Lines lines) {
        this.lines = lines;
        producer = new TransactionMQProducer(options.text("group", "interop-session"));
        producer.setNamesrvAddr(options.text("namesrv"));
        producer.setInstanceName("session-" + ProcessHandle.current().pid());
        producer.setTransactionListener(this);
        // What is sent is compared byte by byte with what is stored.
        producer.setCompressMsgBodyOverHowmuch(MAX_MESSAGE_BYTES);
        producer.setRetryTimesWhenSendFailed(0);
        producer.setRetryTimesWhenSendAsyncFailed(0);
        producer.setSendMsgTimeout(options.number("timeout-millis", 10000));
        // A broker that has come back asks those producers only that have said that they are there.
        producer.setHeartbeatBrokerInterval(BROKER_HEARTBEAT_MILLIS);
    }

    @Override
    public void run() throws Exception {
        producer.start();
        lines.print("ready");
        BufferedReader commands = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = commands.readLine(); line != null; line = commands.readLine()) {
            JSONObject command = JSON.parseObject(line);
            try {
                obey(command);
            } catch (InterruptedException e) {
                throw e;
            } catch (Exception e) {
                lines.print("failed", "key", command.getString("key"), "error", e.toString());
            }
        }
        calm();
        producer.shutdown();
        lines.print("done");
    }

    private void obey(JSONObject command) throws Exception {
        switch (command.getString("do")) {
            case "send":
                printSent(command.getString("key"), producer.send(message(command), queue(command)));
                break;
            case "batch":
                sendBatch(command);
                break;
            case "half":
                printSent(command.getString("key"), producer.sendMessageInTransaction(message(command), null));
                break;
            case "decide":
                decided.put(command.getString("key"), LocalTransactionState.valueOf(command.getString("answer")));
                break;
            case "flood":
                startFlood(command);
                break;
            case "calm":
                calm();
                lines.print("calm");
                break;
            default:
                throw new IllegalArgumentException("no such command: " + command);
        }
    }

    private MessageQueue queue(JSONObject command) {
        return new MessageQueue(command.getString("topic"), command.getString("broker"), command.getIntValue("queueId"));
    }

    private static Message message(JSONObject command) {
        String key = command.getString("key");
        Message message = new Message(command.getString("topic"), command.getString("tag"), key,
            Body.of(key, command.getIntValue("bodyBytes", 200)));
        message.putUserProperty("ordinary", "property of " + key);
        if (command.containsKey("delayLevel")) {
            message.setDelayTimeLevel(command.getIntValue("delayLevel"));
        }
        if (command.containsKey("deliverAtMillis")) {
            message.setDeliverTimeMs(command.getLongValue("deliverAtMillis"));
        }
        return message;
    }

    /** Messages key-0, key-1 ... in one request. */
    private void sendBatch(JSONObject command) throws Exception {
        String prefix = command.getString("key");
        List<Message> messages = new ArrayList<>();
        List<String> keys = new ArrayList<>();
        for (int i = 0; i < command.getIntValue("count"); i++) {
            JSONObject one = new JSONObject(command).fluentPut("key", prefix + "-" + i);
            messages.add(message(one));
            keys.add(one.getString("key"));
        }
        printSent(String.join(",", keys), producer.send(messages, queue(command)));
    }

    /** Sends all the time, until calm: whatever was answered before the broker was gone has to be there afterwards. */
    private void startFlood(JSONObject command) {
        floods = true;
        flood = new Thread(() -> flood(command), "flood");
        flood.start();
    }

    private void flood(JSONObject command) {
        Semaphore window = new Semaphore(FLOOD_WINDOW);
        try {
            while (floods) {
                window.acquire();
                sendFlooding(command, window);
            }
            window.acquire(FLOOD_WINDOW);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private void sendFlooding(JSONObject command, Semaphore window) throws InterruptedException {
        String key = command.getString("key") + "-" + floodNumber.getAndIncrement();
        SendCallback callback = new SendCallback() {
            @Override
            public void onSuccess(SendResult result) {
                printSent(key, result);
                window.release();
            }

            @Override
            public void onException(Throwable error) {
                // The broker is gone, as it was meant to be.
                floods = false;
                window.release();
            }
        };
        try {
            producer.send(message(new JSONObject(command).fluentPut("key", key)), queue(command), callback);
        } catch (InterruptedException e) {
            throw e;
        } catch (Exception e) {
            callback.onException(e);
        }
    }

    private void calm() throws InterruptedException {
        floods = false;
        if (flood != null) {
            flood.join();
        }
    }

    @Override
    public LocalTransactionState executeLocalTransaction(Message message, Object argument) {
        return LocalTransactionState.UNKNOW;
    }

    @Override
    public LocalTransactionState checkLocalTransaction(MessageExt message) {
        LocalTransactionState state = decided.getOrDefault(message.getKeys(), LocalTransactionState.UNKNOW);
        lines.print("checked", "key", message.getKeys(), "answer", state);
        return state;
    }

    private void printSent(String keys, SendResult result) {
        lines.print("sent", "key", keys, "status", result.getSendStatus(), "msgId", result.getMsgId(),
            "offsetMsgId", result.getOffsetMsgId(), "broker", result.getMessageQueue().getBrokerName(),
            "queueId", result.getMessageQueue().getQueueId(), "queueOffset", result.getQueueOffset());
    }
}
