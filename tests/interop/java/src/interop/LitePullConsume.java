// SPDX-License-Identifier: Apache-2.0
package interop;

import org.apache.rocketmq.client.consumer.DefaultLitePullConsumer;
import org.apache.rocketmq.common.consumer.ConsumeFromWhere;
import org.apache.rocketmq.common.message.MessageExt;

/** A lite pull consumer with subscription and automatic commits. */
final class LitePullConsume implements ClientTool.Job {
    private static final int POLL_MILLIS = 200;

    private final Lines lines;
    private final PullWatch watch;
    private final DefaultLitePullConsumer consumer;
    private final Receipts receipts;

    LitePullConsume(Options options, Lines lines) throws Exception {
        this.lines = lines;
        watch = new PullWatch(options.hook());
        receipts = new Receipts(options, lines);
        consumer = new DefaultLitePullConsumer(options.text("group", "interop-group"), watch);
        consumer.setNamesrvAddr(options.text("namesrv"));
        consumer.setInstanceName(options.text("instance", "lite-" + ProcessHandle.current().pid()));
        consumer.setConsumeFromWhere(ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET);
        consumer.subscribe(options.text("topic"), options.text("tag", "*"));
    }

    @Override
    public void run() throws Exception {
        consumer.start();
        lines.print("ready");
        while (!receipts.isOver()) {
            for (MessageExt message : consumer.poll(POLL_MILLIS)) {
                receipts.add(message, watch.servedBy(message));
            }
        }
        consumer.commit();
        consumer.shutdown();
        receipts.printDone();
    }
}
