// SPDX-License-Identifier: Apache-2.0
package programs;

import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.exception.MQClientException;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.remoting.protocol.heartbeat.MessageModel;

/** Where the API of rocketmq-client 5.4.0 has other words than 4.9.8, and the cases that only 5.4.0 can run. */
final class Version {
    private Version() {
    }

    static Map<String, Programs.Program> programs() {
        Map<String, Programs.Program> programs = new LinkedHashMap<>();
        programs.put("recall", Version5::recall);
        programs.put("pop", Version5::pop);
        programs.put("priority", Version5::priority);
        programs.put("admin", Administration::admin);
        programs.put("resumecheck", Administration::resumecheck);
        return programs;
    }

    static void broadcast(DefaultMQPushConsumer consumer) {
        consumer.setMessageModel(MessageModel.BROADCASTING);
    }

    static void setDelaySeconds(Message message, long seconds) {
        message.setDelayTimeSec(seconds);
    }

    static void setDelayMillis(Message message, long millis) {
        message.setDelayTimeMs(millis);
    }

    static void setDeliverMillis(Message message, long atMillis) {
        message.setDeliverTimeMs(atMillis);
    }

    @SuppressWarnings("deprecation")
    static void createTopic(DefaultMQProducer producer, String topic, int queues) throws MQClientException {
        producer.createTopic("TBW102", topic, queues, Collections.emptyMap());
    }
}
