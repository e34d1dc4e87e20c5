// SPDX-License-Identifier: Apache-2.0
package interop;

import java.util.ArrayList;
import java.util.List;
import org.apache.rocketmq.client.ClientConfig;
import org.apache.rocketmq.client.consumer.AckResult;
import org.apache.rocketmq.client.consumer.PopResult;
import org.apache.rocketmq.client.consumer.PopStatus;
import org.apache.rocketmq.client.impl.mqclient.DoNothingClientRemotingProcessor;
import org.apache.rocketmq.client.impl.mqclient.MQClientAPIExt;
import org.apache.rocketmq.common.filter.ExpressionType;
import org.apache.rocketmq.common.message.MessageConst;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.remoting.netty.NettyClientConfig;
import org.apache.rocketmq.remoting.protocol.header.PopMessageRequestHeader;

/** Pops by the part of the client that Apache's proxy is built on, and acknowledges all of an answer in one request. */
final class PopBatch implements ClientTool.Job {
    private static final int TIMEOUT_MILLIS = 10_000;
    private static final int POLL_MILLIS = 1000;
    private static final int MOST_MESSAGES = 32;

    private final Lines lines;
    private final Receipts receipts;
    private final String address;
    private final String broker;
    private final String topic;
    private final String group;
    /** Messages with this in their key are not acknowledged. */
    private final String leave;
    private final int invisibleMillis;

    PopBatch(Options options, Lines lines) {
        this.lines = lines;
        receipts = new Receipts(options, lines);
        address = options.text("address");
        broker = options.text("broker");
        topic = options.text("topic");
        group = options.text("group", "interop-pop");
        leave = options.text("leave", null);
        invisibleMillis = options.number("invisible-millis", 60000);
    }

    @Override
    public void run() throws Exception {
        MQClientAPIExt client = new MQClientAPIExt(new ClientConfig(), new NettyClientConfig(),
            new DoNothingClientRemotingProcessor(null), null);
        client.start();
        lines.print("ready");
        while (!receipts.isOver()) {
            PopResult popped = client.popMessageAsync(address, broker, header(), TIMEOUT_MILLIS).get();
            if (popped.getPopStatus() == PopStatus.FOUND) {
                acknowledge(client, popped.getMsgFoundList());
            }
        }
        client.shutdown();
        receipts.printDone();
    }

    private void acknowledge(MQClientAPIExt client, List<MessageExt> messages) throws Exception {
        List<String> handles = new ArrayList<>();
        for (MessageExt message : messages) {
            receipts.add(message, "pop");
            if (leave == null || !message.getKeys().contains(leave)) {
                handles.add(message.getProperty(MessageConst.PROPERTY_POP_CK));
            }
        }
        if (!handles.isEmpty()) {
            AckResult result = client.batchAckMessageAsync(address, topic, group, handles, TIMEOUT_MILLIS).get();
            lines.print("acknowledged", "status", result.getStatus(), "count", handles.size());
        }
    }

    private PopMessageRequestHeader header() {
        PopMessageRequestHeader header = new PopMessageRequestHeader();
        header.setConsumerGroup(group);
        header.setTopic(topic);
        header.setQueueId(-1);
        header.setMaxMsgNums(MOST_MESSAGES);
        header.setInvisibleTime(invisibleMillis);
        header.setPollTime(POLL_MILLIS);
        header.setBornTime(System.currentTimeMillis());
        header.setInitMode(0);
        header.setExpType(ExpressionType.TAG);
        header.setExp("*");
        header.setOrder(false);
        return header;
    }
}
