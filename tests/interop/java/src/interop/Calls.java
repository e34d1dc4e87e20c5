// SPDX-License-Identifier: Apache-2.0
package interop;

import java.nio.charset.StandardCharsets;
import org.apache.rocketmq.acl.common.AclClientRPCHook;
import org.apache.rocketmq.acl.common.SessionCredentials;
import org.apache.rocketmq.remoting.netty.NettyClientConfig;
import org.apache.rocketmq.remoting.netty.NettyRemotingClient;
import org.apache.rocketmq.remoting.protocol.RemotingCommand;

/**
 * Requests of any code, one after the other, signed by the client's own hook. A line for each: name, access key (empty:
 * not signed), secret, code, fields as k=v with blanks between, body; tabs between them.
 */
final class Calls implements ClientTool.Job {
    private static final int PARTS = 6;
    private static final int TIMEOUT_MILLIS = 10000;

    private final Lines lines;
    private final String address;
    private final String[] calls;

    Calls(Options options, Lines lines) {
        this.lines = lines;
        address = options.text("address");
        calls = options.text("calls").split("\n");
    }

    @Override
    public void run() throws Exception {
        NettyRemotingClient client = new NettyRemotingClient(new NettyClientConfig());
        client.start();
        lines.print("ready");
        for (String call : calls) {
            String[] parts = call.split("\t", PARTS);
            RemotingCommand answer = client.invokeSync(address, request(parts), TIMEOUT_MILLIS);
            byte[] body = answer.getBody();
            lines.print("answered", "name", parts[0], "code", answer.getCode(), "remark", answer.getRemark(),
                "body", body == null ? "" : new String(body, StandardCharsets.UTF_8));
        }
        client.shutdown();
        lines.print("done");
    }

    private RemotingCommand request(String[] parts) {
        RemotingCommand request = RemotingCommand.createRequestCommand(Integer.parseInt(parts[3]), null);
        for (String field : parts[4].split(" ")) {
            int at = field.indexOf('=');
            if (at > 0) {
                request.addExtField(field.substring(0, at), field.substring(at + 1));
            }
        }
        if (!parts[5].isEmpty()) {
            request.setBody(parts[5].getBytes(StandardCharsets.UTF_8));
        }
        if (!parts[1].isEmpty()) {
            new AclClientRPCHook(new SessionCredentials(parts[1], parts[2])).doBeforeRequest(address, request);
        }
        return request;
    }
}
