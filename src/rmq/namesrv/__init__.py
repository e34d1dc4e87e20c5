# SPDX-License-Identifier: Apache-2.0
"""The name server: who serves which topic, learned from the brokers' own registrations."""
