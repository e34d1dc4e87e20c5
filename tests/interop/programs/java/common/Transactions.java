// SPDX-License-Identifier: Apache-2.0
package programs;

import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.rocketmq.client.producer.LocalTransactionState;
import org.apache.rocketmq.client.producer.TransactionListener;
import org.apache.rocketmq.client.producer.TransactionMQProducer;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;

/** Commit, rollback, and both after the broker has asked. */
final class Transactions {
    private static final List<String> KINDS = Arrays.asList("commit", "rollback", "later-commit", "later-rollback");
    /** A broker asks once in 30 s by default, and only about what is 6 s old. */
    private static final long DEADLINE_MILLIS = 150_000;
    private static final long LINGER_MILLIS = 3000;

    private Transactions() {
    }

    static void transaction(Run run) throws Exception {
        Set<String> asked = ConcurrentHashMap.newKeySet();
        TransactionMQProducer producer = run.prepared(new TransactionMQProducer(run.name("producer")));
        producer.setTransactionListener(new TransactionListener() {
            @Override
            public LocalTransactionState executeLocalTransaction(Message message, Object argument) {
                return message.getKeys().startsWith("later") ? LocalTransactionState.UNKNOW : decision(message);
            }

            @Override
            public LocalTransactionState checkLocalTransaction(MessageExt message) {
                // Apache notes an end up to 3 s late and may ask about what it knows already.
                if (message.getKeys().startsWith("later")) {
                    asked.add(message.getKeys());
                }
                return decision(message);
            }
        });
        producer.start();
        Run.Inbox inbox = run.push("consumer", "*");
        for (String kind : KINDS) {
            for (int number = 0; number < 2; number++) {
                Message message = run.message(kind + '-' + number, "TagA");
                run.saySend(message.getKeys(), () -> producer.sendMessageInTransaction(message, null));
            }
        }
        Run.await(() -> asked.size() == 4 && new HashSet<>(inbox.keys()).size() == 4, DEADLINE_MILLIS);
        Thread.sleep(LINGER_MILLIS);
        run.say("asked: " + Run.list(asked));
        run.say("received: " + Run.list(inbox.keys()));
    }

    private static LocalTransactionState decision(Message message) {
        return message.getKeys().contains("commit") ? LocalTransactionState.COMMIT_MESSAGE
            : LocalTransactionState.ROLLBACK_MESSAGE;
    }
}
