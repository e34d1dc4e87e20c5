# SPDX-License-Identifier: Apache-2.0
"""What can be wrong with a filter, and with a message that it is tried on."""

from __future__ import annotations


class FilterError(ValueError):
    """The expression cannot be compiled. The text is fit for a remark."""


class EvaluationError(Exception):
    """Two values cannot be compared: the message does not match, whatever the rest of the expression says."""
