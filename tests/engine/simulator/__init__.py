# SPDX-License-Identifier: Apache-2.0
"""A name server, a pair of brokers and clients in one process; clock, disks and network fail as a seed says."""
