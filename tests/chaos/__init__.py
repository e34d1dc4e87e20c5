# SPDX-License-Identifier: Apache-2.0
"""Real processes, disks and sockets under faults; what was acknowledged is read back and counted.

CI runs the short form of each test; `make chaos` the full one (`--full`), part by part: tools/test.sh keeps seed,
result and printout of each part in build/parts, and a part that has passed on the same sources is not run again.
"""
