// SPDX-License-Identifier: Apache-2.0
package programs;

import java.io.PrintStream;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;

/**
 * The interop cases as programs against the public API of rocketmq-client; tests/interop/programs/cases.py says what
 * each does and prints. Arguments: CASE[,CASE...] NAMESRV_ADDR PREFIX.
 */
public final class Programs {
    /** Cases mostly wait, so more of them run than there are cores. */
    private static final int SIDE_BY_SIDE = 8;
    private static final long DEADLINE_MINUTES = 10;

    private Programs() {
    }

    /** One case. What it throws ends its transcript. */
    interface Program {
        void run(Run run) throws Exception;
    }

    /** The cases that both versions of the client can run; the slow ones first. */
    private static Map<String, Program> common() {
        Map<String, Program> programs = new LinkedHashMap<>();
        programs.put("transaction", Transactions::transaction);
        programs.put("retry", Retries::retry);
        programs.put("delay", Delays::delay);
        programs.put("timer", Delays::timer);
        programs.put("rebalance", Groups::rebalance);
        programs.put("litepull", LitePulls::litepull);
        programs.put("plain", Sends::plain);
        programs.put("selector", Sends::selector);
        programs.put("batch", Sends::batch);
        programs.put("batchover", Sends::batchover);
        programs.put("refused", Sends::refused);
        programs.put("push", Pushes::push);
        programs.put("sql", Pushes::sql);
        programs.put("sqlbad", Pushes::sqlbad);
        programs.put("orderly", Pushes::orderly);
        programs.put("broadcasting", Pushes::broadcasting);
        programs.put("pull", Pulls::pull);
        programs.put("offsets", Pulls::offsets);
        programs.put("reply", Replies::reply);
        programs.put("query", Queries::query);
        programs.put("trace", Queries::trace);
        programs.put("createtopic", Groups::createtopic);
        return programs;
    }

    public static void main(String[] args) throws Exception {
        if (args.length != 3) {
            throw new IllegalArgumentException("usage: Programs CASE[,CASE...] NAMESRV_ADDR PREFIX");
        }
        Map<String, Program> programs = common();
        programs.putAll(Version.programs());
        PrintStream out = System.out;
        ExecutorService pool = Executors.newFixedThreadPool(SIDE_BY_SIDE);
        for (Map.Entry<String, Program> entry : chosen(programs, args[0]).entrySet()) {
            pool.execute(() -> {
                Run run = new Run(entry.getKey(), args[1], args[2]);
                String transcript = run.transcript(entry.getValue());
                synchronized (out) {
                    out.print("== " + entry.getKey() + '\n' + transcript);
                    out.flush();
                }
            });
        }
        pool.shutdown();
        // The clients leave threads of their own behind; everything that matters has been shut down by now.
        System.exit(pool.awaitTermination(DEADLINE_MINUTES, TimeUnit.MINUTES) ? 0 : 1);
    }

    private static Map<String, Program> chosen(Map<String, Program> programs, String names) {
        Map<String, Program> chosen = new LinkedHashMap<>(programs);
        Map<String, Program> wanted = new LinkedHashMap<>();
        for (String name : names.split(",")) {
            if (!programs.containsKey(name)) {
                throw new IllegalArgumentException("no such case: " + name);
            }
            wanted.put(name, programs.get(name));
        }
        chosen.keySet().retainAll(wanted.keySet());
        return chosen;
    }
}
