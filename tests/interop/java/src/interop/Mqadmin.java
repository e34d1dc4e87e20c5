// SPDX-License-Identifier: Apache-2.0
package interop;

import com.alibaba.fastjson2.JSON;
import java.io.BufferedReader;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.concurrent.locks.LockSupport;
import org.apache.rocketmq.tools.command.MQAdminStartup;

/**
 * Apache's mqadmin, many commands in one process: each line of standard input is the arguments of one command as a JSON
 * array. A command that ends the process (a wrong option line) or runs until it is stopped needs a process of its own.
 */
final class Mqadmin extends MQAdminStartup implements ClientTool.Job {
    private static final long LOOK_AGAIN_NANOS = 20_000_000;

    private final Lines lines;
    private final String namesrv;

    Mqadmin(Options options, Lines lines) {
        this.lines = lines;
        namesrv = options.text("namesrv");
    }

    @Override
    public void run() throws IOException {
        startWaker(Thread.currentThread());
        lines.print("ready");
        BufferedReader commands = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        int count = 0;
        for (String line = commands.readLine(); line != null; line = commands.readLine()) {
            runCommand(JSON.parseArray(line, String.class).toArray(new String[0]));
            count++;
        }
        lines.print("done", "commands", count);
    }

    /**
     * At its end the client joins a thread that looks at an empty queue for three seconds before it sees that it has been
     * told to stop. Two hundred commands would spend most of their time there, so that thread is woken.
     */
    private static void startWaker(Thread commands) {
        Thread waker = new Thread(() -> {
            while (true) {
                LockSupport.parkNanos(LOOK_AGAIN_NANOS);
                if (commands.getState() == Thread.State.TIMED_WAITING && isJoining(commands)) {
                    Thread.getAllStackTraces().keySet().stream()
                        .filter(thread -> thread.getName().startsWith("NettyEventExecutor")).forEach(Thread::interrupt);
                }
            }
        }, "waker");
        waker.setDaemon(true);
        waker.start();
    }

    private static boolean isJoining(Thread thread) {
        return Arrays.stream(thread.getStackTrace()).anyMatch(
            frame -> frame.getClassName().endsWith(".ServiceThread") && frame.getMethodName().equals("shutdown"));
    }

    /** What a process of its own would print, and its exit status: an exception is printed and the status stays 0. */
    private void runCommand(String[] args) {
        PrintStream out = System.out;
        PrintStream err = System.err;
        ByteArrayOutputStream printed = new ByteArrayOutputStream();
        ByteArrayOutputStream errors = new ByteArrayOutputStream();
        int status = 0;
        System.setOut(new PrintStream(printed, true, StandardCharsets.UTF_8));
        System.setErr(new PrintStream(errors, true, StandardCharsets.UTF_8));
        try {
            // The list is static and grows with each start; a command object may remember its last run.
            SUB_COMMANDS.clear();
            main0(withNamesrv(args), null);
        } catch (Throwable e) {
            e.printStackTrace();
            status = 1;
        } finally {
            System.setOut(out);
            System.setErr(err);
        }
        lines.print("answer", "status", status, "stdout", printed.toString(StandardCharsets.UTF_8),
            "stderr", errors.toString(StandardCharsets.UTF_8));
    }

    private String[] withNamesrv(String[] args) {
        if (args.length == 0) {
            return args;
        }
        String[] all = new String[args.length + 2];
        all[0] = args[0];
        all[1] = "-n";
        all[2] = namesrv;
        System.arraycopy(args, 1, all, 3, args.length - 1);
        return all;
    }
}
