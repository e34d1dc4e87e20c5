// SPDX-License-Identifier: Apache-2.0
package interop;

import org.apache.rocketmq.client.producer.LocalTransactionState;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.client.producer.TransactionListener;
import org.apache.rocketmq.client.producer.TransactionMQProducer;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;

/**
 * Sends numbered transaction messages. The number decides: 0 modulo 4 commits, 1 rolls back, 2 and 3 say nothing until
 * the broker asks, and then commit and roll back.
 */
final class TransactionProduce implements ClientTool.Job, TransactionListener {
    private static final int POLL_MILLIS = 20;

    private final Lines lines;
    private final Until until = new Until();
    private final TransactionMQProducer producer;
    private final String topic;
    private final int count;
    private final int bodyBytes;

    TransactionProduce(Options options, Lines lines) {
        this.lines = lines;
        topic = options.text("topic");
        count = options.number("count", 8);
        bodyBytes = options.number("body-bytes", 128);
        producer = new TransactionMQProducer(options.text("group", "interop-transaction"));
        producer.setNamesrvAddr(options.text("namesrv"));
        producer.setInstanceName(options.text("instance", "transaction-" + ProcessHandle.current().pid()));
        producer.setTransactionListener(this);
    }

    @Override
    public void run() throws Exception {
        producer.start();
        lines.print("ready");
        for (int number = 0; number < count; number++) {
            String key = String.format("t%07d", number);
            Message message = new Message(topic, "TagT", key, Body.of(key, bodyBytes));
            SendResult result = producer.sendMessageInTransaction(message, null);
            lines.print("sent", "key", key, "status", result.getSendStatus(), "msgId", result.getMsgId(),
                "broker", result.getMessageQueue().getBrokerName(), "queueId", result.getMessageQueue().getQueueId(),
                "queueOffset", result.getQueueOffset());
        }
        // The broker asks this process: it lives until the test has seen enough.
        while (!until.stdinIsClosed()) {
            Thread.sleep(POLL_MILLIS);
        }
        producer.shutdown();
        lines.print("done", "next", count);
    }

    @Override
    public LocalTransactionState executeLocalTransaction(Message message, Object argument) {
        switch (number(message) % 4) {
            case 0:
                return LocalTransactionState.COMMIT_MESSAGE;
            case 1:
                return LocalTransactionState.ROLLBACK_MESSAGE;
            default:
                return LocalTransactionState.UNKNOW;
        }
    }

    @Override
    public LocalTransactionState checkLocalTransaction(MessageExt message) {
        boolean commits = number(message) % 2 == 0;
        lines.print("checked", "key", message.getKeys(), "commits", commits,
            "intact", Body.isIntact(message.getKeys(), message.getBody()));
        return commits ? LocalTransactionState.COMMIT_MESSAGE : LocalTransactionState.ROLLBACK_MESSAGE;
    }

    private static int number(Message message) {
        return Integer.parseInt(message.getKeys().substring(1));
    }
}
