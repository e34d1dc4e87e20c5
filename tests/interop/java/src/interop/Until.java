// SPDX-License-Identifier: Apache-2.0
package interop;

import java.io.IOException;

/** When to end: the test closes standard input, and whoever works polls. */
final class Until {
    private final Thread reader = new Thread(this::readToEnd, "stdin");
    private volatile boolean closed;

    Until() {
        reader.setDaemon(true);
        reader.start();
    }

    boolean stdinIsClosed() {
        return closed;
    }

    void await() throws InterruptedException {
        reader.join();
    }

    private void readToEnd() {
        try {
            while (System.in.read() >= 0) {
                continue;
            }
        } catch (IOException e) {
            // A broken pipe ends the run as a closed one does.
        }
        closed = true;
    }
}
