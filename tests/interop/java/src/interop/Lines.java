// SPDX-License-Identifier: Apache-2.0
package interop;

import java.io.PrintStream;

/** One JSON object a line, whole lines only, flushed at once: the reader acts on what has been printed so far. */
final class Lines {
    private final PrintStream out;

    Lines(PrintStream out) {
        this.out = out;
    }

    /** Prints an event with its fields, given as name, value, name, value. */
    void print(String event, Object... fields) {
        StringBuilder line = new StringBuilder("{\"event\":").append(quote(event));
        for (int i = 0; i < fields.length; i += 2) {
            line.append(',').append(quote((String) fields[i])).append(':').append(value(fields[i + 1]));
        }
        line.append("}\n");
        synchronized (out) {
            out.print(line);
            out.flush();
        }
    }

    private static String value(Object value) {
        if (value == null || value instanceof Number || value instanceof Boolean) {
            return String.valueOf(value);
        }
        return quote(value.toString());
    }

    private static String quote(String text) {
        StringBuilder quoted = new StringBuilder("\"");
        for (char c : text.toCharArray()) {
            if (c == '"' || c == '\\') {
                quoted.append('\\').append(c);
            } else if (c < 0x20 || c > 0x7e) {
                quoted.append(String.format("\\u%04x", (int) c));
            } else {
                quoted.append(c);
            }
        }
        return quoted.append('"').toString();
    }
}
