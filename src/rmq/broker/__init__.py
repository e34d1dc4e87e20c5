# SPDX-License-Identifier: Apache-2.0
"""The broker: what RocketMQ calls BrokerController and its processors, over `rpc` and `store`.

Processors decide and answer, managers hold one table each, `BrokerController` wires them to the reactor's timers.
Nothing here opens a file or a socket or reads a clock of its own.
"""
