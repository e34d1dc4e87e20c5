// SPDX-License-Identifier: Apache-2.0
package interop;

import java.util.Map;
import java.util.NavigableMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentSkipListMap;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.remoting.RPCHook;
import org.apache.rocketmq.remoting.protocol.RemotingCommand;

/**
 * Remembers which address answered each pull. A record on a slave is the master's record byte for byte, its store host
 * included, so only the connection that brought a message tells who served it.
 */
final class PullWatch implements RPCHook {
    private static final int PULL_MESSAGE = 11;
    private static final int FOUND = 0;

    /** For each queue: first queue offset asked for, and the address that answered. */
    private final Map<String, NavigableMap<Long, String>> answers = new ConcurrentHashMap<>();

    /** A consumer has one hook: this one signs too, where the client has a user; else null. */
    private final RPCHook signer;

    PullWatch(RPCHook signer) {
        this.signer = signer;
    }

    @Override
    public void doBeforeRequest(String address, RemotingCommand request) {
        if (signer != null) {
            signer.doBeforeRequest(address, request);
        }
    }

    @Override
    public void doAfterResponse(String address, RemotingCommand request, RemotingCommand response) {
        if (request.getCode() != PULL_MESSAGE || response == null || response.getCode() != FOUND) {
            return;
        }
        Map<String, String> fields = request.getExtFields();
        answers.computeIfAbsent(queue(fields.get("topic"), fields.get("queueId"), fields.get("bname")),
            key -> new ConcurrentSkipListMap<>()).put(Long.parseLong(fields.get("queueOffset")), address);
    }

    /** The address that served this message; null when no pull that covers it was seen. */
    String servedBy(MessageExt message) {
        NavigableMap<Long, String> seen = answers.get(
            queue(message.getTopic(), Integer.toString(message.getQueueId()), message.getBrokerName()));
        Map.Entry<Long, String> entry = seen == null ? null : seen.floorEntry(message.getQueueOffset());
        return entry == null ? null : entry.getValue();
    }

    private static String queue(String topic, String queueId, String brokerName) {
        return topic + '/' + brokerName + '/' + queueId;
    }
}
