// SPDX-License-Identifier: Apache-2.0
package interop;

import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.common.consumer.ConsumeFromWhere;
import org.apache.rocketmq.common.message.MessageExt;

/** A push consumer whose queues the broker assigns; the broker also says whether it pulls or pops. */
final class PopConsume implements ClientTool.Job {
    private final Lines lines;
    private final DefaultMQPushConsumer consumer;
    private final Receipts receipts;
    /** Messages with this in their key are given back when they come for the first time. */
    private final String later;
    /** Messages with this in their key are never done with. */
    private final String hang;

    PopConsume(Options options, Lines lines) throws Exception {
        this.lines = lines;
        receipts = new Receipts(options, lines);
        later = options.text("later", null);
        hang = options.text("hang", null);
        consumer = new DefaultMQPushConsumer(options.text("group", "interop-pop"));
        consumer.setNamesrvAddr(options.text("namesrv"));
        consumer.setInstanceName(options.text("instance", "pop-" + ProcessHandle.current().pid()));
        consumer.setClientRebalance(false);
        consumer.setPopInvisibleTime(options.number("invisible-millis", 60000));
        consumer.setPollNameServerInterval(options.number("poll-route-millis", 30000));
        consumer.setConsumeFromWhere(ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET);
        consumer.subscribe(options.text("topic"), options.text("tag", "*"));
        consumer.registerMessageListener((MessageListenerConcurrently) (messages, context) -> {
            for (MessageExt message : messages) {
                receipts.add(message, message.getProperty("POP_CK") == null ? "pull" : "pop");
                if (hang != null && message.getKeys().contains(hang)) {
                    sleepForever();
                }
                if (later != null && message.getKeys().contains(later) && message.getReconsumeTimes() == 0) {
                    return ConsumeConcurrentlyStatus.RECONSUME_LATER;
                }
            }
            return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
        });
    }

    private static void sleepForever() {
        try {
            Thread.sleep(Long.MAX_VALUE);
        } catch (InterruptedException end) {
            Thread.currentThread().interrupt();
        }
    }

    @Override
    public void run() throws Exception {
        consumer.start();
        lines.print("ready");
        receipts.await();
        consumer.shutdown();
        receipts.printDone();
    }
}
