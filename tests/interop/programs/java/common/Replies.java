// SPDX-License-Identifier: Apache-2.0
package programs;

import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.client.exception.RequestTimeoutException;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.utils.MessageUtil;
import org.apache.rocketmq.common.message.Message;

/** Request and reply. */
final class Replies {
    private static final long PATIENT_MILLIS = 30_000;
    private static final long SHORT_MILLIS = 3000;

    private Replies() {
    }

    static void reply(Run run) throws Exception {
        DefaultMQProducer answers = run.newProducer();
        answers.setProducerGroup(run.name("answers"));
        answers.start();
        DefaultMQPushConsumer consumer = run.newPush("consumer");
        consumer.subscribe(run.topic(), "*");
        consumer.registerMessageListener((MessageListenerConcurrently) (messages, context) -> {
            messages.stream().filter(message -> !"silent".equals(message.getKeys())).forEach(message -> {
                try {
                    byte[] body = Run.bytes("reply to " + Run.text(message.getBody()));
                    answers.send(MessageUtil.createReplyMessage(message, body));
                } catch (Exception e) {
                    e.printStackTrace();
                }
            });
            return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
        });
        consumer.start();
        DefaultMQProducer asks = run.producer();
        Message reply = asks.request(run.message("question", "TagA"), PATIENT_MILLIS);
        run.say("answered: " + Run.text(reply.getBody()));
        try {
            run.say("silent: " + Run.text(asks.request(run.message("silent", "TagA"), SHORT_MILLIS).getBody()));
        } catch (RequestTimeoutException e) {
            run.say("silent: time-out");
        }
    }
}
