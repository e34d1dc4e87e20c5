// SPDX-License-Identifier: Apache-2.0
package programs;

import java.util.Collections;
import java.util.Map;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.exception.MQClientException;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.protocol.heartbeat.MessageModel;

/** Where the API of rocketmq-client 4.9.8 has other words than 5.4.0. */
final class Version {
    private Version() {
    }

    static Map<String, Programs.Program> programs() {
        return Collections.emptyMap();
    }

    static void broadcast(DefaultMQPushConsumer consumer) {
        consumer.setMessageModel(MessageModel.BROADCASTING);
    }

    /** This client has no method for it, but sends any property. */
    static void setDelaySeconds(Message message, long seconds) {
        message.putUserProperty("TIMER_DELAY_SEC", String.valueOf(seconds));
    }

    static void setDelayMillis(Message message, long millis) {
        message.putUserProperty("TIMER_DELAY_MS", String.valueOf(millis));
    }

    static void setDeliverMillis(Message message, long atMillis) {
        message.putUserProperty("TIMER_DELIVER_MS", String.valueOf(atMillis));
    }

    @SuppressWarnings("deprecation")
    static void createTopic(DefaultMQProducer producer, String topic, int queues) throws MQClientException {
        producer.createTopic("TBW102", topic, queues);
    }
}
