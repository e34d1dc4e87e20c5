// SPDX-License-Identifier: Apache-2.0
package interop;

import org.apache.rocketmq.client.consumer.DefaultMQPullConsumer;
import org.apache.rocketmq.client.consumer.PullResult;
import org.apache.rocketmq.client.consumer.PullStatus;
import org.apache.rocketmq.common.message.MessageQueue;

/** The old pull consumer: every queue of a topic read once, from its minimum to its maximum offset. */
@SuppressWarnings("deprecation")
final class PullConsume implements ClientTool.Job {
    private static final int BATCH = 32;

    private final Lines lines;
    private final PullWatch watch;
    private final DefaultMQPullConsumer consumer;
    private final Receipts receipts;
    private final String topic;
    private final String tag;

    PullConsume(Options options, Lines lines) {
        this.lines = lines;
        watch = new PullWatch(options.hook());
        receipts = new Receipts(options, lines);
        topic = options.text("topic");
        tag = options.text("tag", "*");
        consumer = new DefaultMQPullConsumer(options.text("group", "interop-group"), watch);
        consumer.setNamesrvAddr(options.text("namesrv"));
        consumer.setInstanceName(options.text("instance", "pull-" + ProcessHandle.current().pid()));
    }

    @Override
    public void run() throws Exception {
        consumer.start();
        lines.print("ready");
        for (MessageQueue queue : consumer.fetchSubscribeMessageQueues(topic)) {
            read(queue);
        }
        consumer.shutdown();
        receipts.printDone();
    }

    private void read(MessageQueue queue) throws Exception {
        long queueOffset = consumer.minOffset(queue);
        long end = consumer.maxOffset(queue);
        lines.print("queue", "broker", queue.getBrokerName(), "queueId", queue.getQueueId(),
            "min", queueOffset, "max", end);
        while (queueOffset < end && !receipts.isOver()) {
            PullResult result = consumer.pull(queue, tag, queueOffset, BATCH);
            if (result.getPullStatus() == PullStatus.FOUND) {
                result.getMsgFoundList().forEach(message -> receipts.add(message, watch.servedBy(message)));
            }
            queueOffset = result.getNextBeginOffset();
        }
    }
}
