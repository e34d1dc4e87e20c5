// SPDX-License-Identifier: Apache-2.0
package interop;

import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.ConsumeOrderlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.client.consumer.listener.MessageListenerOrderly;
import org.apache.rocketmq.common.consumer.ConsumeFromWhere;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.remoting.protocol.heartbeat.MessageModel;

/** A push consumer: concurrent, orderly or broadcasting. */
final class PushConsume implements ClientTool.Job {
    private final Lines lines;
    private final PullWatch watch;
    private final DefaultMQPushConsumer consumer;
    private final Receipts receipts;
    /** Concurrent: messages with this in their key are sent back when they come for the first time. */
    private final String later;

    PushConsume(Options options, Lines lines) throws Exception {
        this.lines = lines;
        watch = new PullWatch(options.hook());
        receipts = new Receipts(options, lines);
        later = options.text("later", null);
        consumer = new DefaultMQPushConsumer(options.text("group", "interop-group"), watch);
        consumer.setNamesrvAddr(options.text("namesrv"));
        consumer.setInstanceName(options.text("instance", "push-" + ProcessHandle.current().pid()));
        consumer.setConsumeFromWhere(ConsumeFromWhere.valueOf(
            "CONSUME_FROM_" + options.text("from", "first").toUpperCase() + "_OFFSET"));
        consumer.setPollNameServerInterval(options.number("poll-route-millis", 30000));
        consumer.setEnableTrace(options.flag("trace"));
        consumer.setTraceTopic(options.text("trace-topic", null));
        consumer.subscribe(options.text("topic"), options.text("tag", "*"));
        listen(options.text("mode", "concurrent"));
    }

    private void listen(String mode) {
        if (mode.equals("orderly")) {
            consumer.registerMessageListener((MessageListenerOrderly) (messages, context) -> {
                messages.forEach(message -> receipts.add(message, watch.servedBy(message)));
                return ConsumeOrderlyStatus.SUCCESS;
            });
            return;
        }
        if (mode.equals("broadcasting")) {
            consumer.setMessageModel(MessageModel.BROADCASTING);
        } else if (!mode.equals("concurrent")) {
            throw new IllegalArgumentException("no such mode: " + mode);
        }
        consumer.registerMessageListener((MessageListenerConcurrently) (messages, context) -> {
            messages.forEach(message -> receipts.add(message, watch.servedBy(message)));
            return messages.stream().anyMatch(this::isForLater) ? ConsumeConcurrentlyStatus.RECONSUME_LATER
                : ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
        });
    }

    private boolean isForLater(MessageExt message) {
        return later != null && message.getKeys().contains(later) && message.getReconsumeTimes() == 0;
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
