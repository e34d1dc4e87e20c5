# SPDX-License-Identifier: Apache-2.0
"""Hypothesis without a clock: on a busy machine its deadline of 200 ms says nothing about the code."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

settings.register_profile("engine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("engine")
