// SPDX-License-Identifier: Apache-2.0
package interop;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/** A body that its key and size determine, so that the receiver can tell whether it arrived whole. */
final class Body {
    private Body() {
    }

    static byte[] of(String key, int sizeBytes) {
        byte[] seed = (key + ' ').getBytes(StandardCharsets.UTF_8);
        byte[] body = new byte[sizeBytes];
        for (int i = 0; i < sizeBytes; i++) {
            body[i] = seed[i % seed.length];
        }
        return body;
    }

    static boolean isIntact(String key, byte[] body) {
        return Arrays.equals(body, of(key, body.length));
    }
}
