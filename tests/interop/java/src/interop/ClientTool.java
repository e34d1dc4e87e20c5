// SPDX-License-Identifier: Apache-2.0
package interop;

import java.util.Arrays;

/**
 * The official client behind a command line: one subcommand a process, options as {@code --name value}, one JSON
 * object a line on standard output, which the Python tests read. The lines are described in tests/interop/harness/client.py.
 */
public final class ClientTool {
    private ClientTool() {
    }

    public static void main(String[] args) throws Exception {
        if (args.length == 0) {
            throw new IllegalArgumentException(
                "usage: ClientTool produce|session|transact|push|lite-pull|pull|pop|pop-batch|calls|mqadmin"
                    + " [--name value]...");
        }
        Options options = Options.parse(Arrays.copyOfRange(args, 1, args.length));
        Job job = job(args[0], options, new Lines(System.out));
        options.refuseUnused();
        job.run();
        // The client leaves threads of its own behind; everything that matters has been shut down by now.
        System.exit(0);
    }

    private static Job job(String name, Options options, Lines lines) throws Exception {
        switch (name) {
            case "produce":
                return new Produce(options, lines);
            case "transact":
                return new Transact(options, lines);
            case "session":
                return new Session(options, lines);
            case "push":
                return new PushConsume(options, lines);
            case "lite-pull":
                return new LitePullConsume(options, lines);
            case "pull":
                return new PullConsume(options, lines);
            case "calls":
                return new Calls(options, lines);
            case "pop":
                return new PopConsume(options, lines);
            case "pop-batch":
                return new PopBatch(options, lines);
            case "mqadmin":
                return new Mqadmin(options, lines);
            default:
                throw new IllegalArgumentException("no such subcommand: " + name);
        }
    }

    /** What a subcommand does once its options have been read. */
    interface Job {
        void run() throws Exception;
    }
}
