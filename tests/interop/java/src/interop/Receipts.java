// SPDX-License-Identifier: Apache-2.0
package interop;

import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.rocketmq.common.message.MessageExt;

/** Prints each message received, counts distinct keys, and says when a consumer has had enough. */
final class Receipts {
    private static final int POLL_MILLIS = 20;

    private final Lines lines;
    private final Until until = new Until();
    private final Set<String> keys = ConcurrentHashMap.newKeySet();
    private final AtomicInteger received = new AtomicInteger();
    /** 0: until standard input closes or the deadline. */
    private final int expected;
    private final long deadlineMillis;
    /** How long to look for duplicates after the last expected message. */
    private final int lingerMillis;

    Receipts(Options options, Lines lines) {
        this.lines = lines;
        expected = options.number("expect", 0);
        deadlineMillis = System.currentTimeMillis() + options.number("deadline-millis", 60000);
        lingerMillis = options.number("linger-millis", 0);
    }

    void add(MessageExt message, String servedBy) {
        lines.print("received", "key", message.getKeys(), "tag", message.getTags(), "broker", message.getBrokerName(),
            "servedBy", servedBy, "storeHost", message.getStoreHost().toString().replaceFirst("^/", ""),
            "queueId", message.getQueueId(), "queueOffset", message.getQueueOffset(),
            "physicalOffset", message.getCommitLogOffset(), "reconsumeTimes", message.getReconsumeTimes(),
            "msgId", message.getMsgId(), "bodyBytes", message.getBody().length,
            "intact", Body.isIntact(message.getKeys(), message.getBody()),
            "lagMillis", System.currentTimeMillis() - message.getBornTimestamp());
        received.incrementAndGet();
        keys.add(message.getKeys());
    }

    boolean isOver() {
        return until.stdinIsClosed() || System.currentTimeMillis() >= deadlineMillis
            || expected > 0 && keys.size() >= expected;
    }

    void await() throws InterruptedException {
        while (!isOver()) {
            Thread.sleep(POLL_MILLIS);
        }
        Thread.sleep(lingerMillis);
    }

    void printDone() {
        lines.print("done", "distinct", keys.size(), "received", received.get());
    }
}
