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
