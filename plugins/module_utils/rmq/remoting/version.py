# SPDX-License-Identifier: Apache-2.0
"""Version numbers of the wire, as Apache RocketMQ counts them (ordinals of MQVersion.Version)."""

from __future__ import annotations

# What our servers and clients say in every header. The number changes meaning, so it must be one that Apache gave out.
CURRENT_VERSION = 493
CURRENT_VERSION_DESCRIPTION = "V5_4_0"

# Requests from these versions on are treated in the newer way.
V3_0_11 = 37  # REGISTER_BROKER carries RegisterBrokerBody; older brokers send a bare topic wrapper.
V3_4_9 = 121  # SEND_MESSAGE and CONSUMER_SEND_MSG_BACK carry maxReconsumeTimes.
V4_9_4 = 401  # GET_ROUTEINFO_BY_TOPIC is answered with quoted keys.

# From here on every version has two numbers, its snapshot's and its own; minor and patch run from 0 to 9.
_V4_0_0 = 213


def version_description(version: int) -> str:
    """`V5_4_0` for 493, as tools show it; a plain number for versions before 4.0.0, whose names follow no rule."""
    if version < _V4_0_0:
        return str(version)
    # The snapshot comes first.
    steps, is_release = divmod(version - _V4_0_0 + 1, 2)
    return "V%d_%d_%d%s" % (4 + steps // 100, steps // 10 % 10, steps % 10, "" if is_release else "_SNAPSHOT")
