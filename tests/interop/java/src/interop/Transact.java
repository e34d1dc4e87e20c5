// SPDX-License-Identifier: Apache-2.0
package interop;

import java.util.Arrays;
import java.util.List;
import org.apache.rocketmq.client.producer.LocalTransactionState;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.client.producer.TransactionListener;
import org.apache.rocketmq.client.producer.TransactionMQProducer;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;

/** Sends half messages of four kinds in turn, and answers the broker when it asks what became of them. */
final class Transact implements ClientTool.Job {
    private static final List<String> KINDS = Arrays.asList("commit", "rollback", "later-commit", "later-rollback");

    private final Lines lines;
    private final Until until = new Until();
    private final TransactionMQProducer producer;
    private final String topic;
    private final int count;

    Transact(Options options, Lines lines) {
        this.lines = lines;
        topic = options.text("topic");
        count = options.number("count", 0);
        producer = new TransactionMQProducer(options.text("group", "interop-transactions"), options.hook());
        producer.setNamesrvAddr(options.text("namesrv"));
        producer.setInstanceName("transact-" + ProcessHandle.current().pid());
        producer.setTransactionListener(new TransactionListener() {
            @Override
            public LocalTransactionState executeLocalTransaction(Message message, Object argument) {
                return message.getKeys().startsWith("later") ? LocalTransactionState.UNKNOW : decision(message);
            }

            @Override
            public LocalTransactionState checkLocalTransaction(MessageExt message) {
                lines.print("checked", "key", message.getKeys());
                return decision(message);
            }
        });
    }

    private static LocalTransactionState decision(Message message) {
        return message.getKeys().contains("commit") ? LocalTransactionState.COMMIT_MESSAGE
            : LocalTransactionState.ROLLBACK_MESSAGE;
    }

    @Override
    public void run() throws Exception {
        producer.start();
        lines.print("ready");
        for (int number = 0; number < count; number++) {
            String key = String.format("%s-%07d", KINDS.get(number % KINDS.size()), number);
            SendResult result = producer.sendMessageInTransaction(new Message(topic, "", key, Body.of(key, 128)), null);
            lines.print("sent", "key", key, "status", result.getSendStatus());
        }
        // The broker asks whoever of the group is connected.
        until.await();
        producer.shutdown();
        lines.print("done");
    }
}
