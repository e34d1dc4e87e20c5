# SPDX-License-Identifier: Apache-2.0
"""Values of an expression and how they compare. Answers to ComparisonExpression of Apache.

Properties are texts. A text takes the type of what it is compared with; where it cannot, the message does not match:

    compared with   the text is read as        example
    Integer         Java's Integer.valueOf     a > 5 does not match a = "5.5" nor a = "3000000000"
    Long            Java's Long.valueOf
    Double          Java's Double.valueOf      a > 5.0 matches a = "5.5"
    Boolean         "true" in any case
    another text    with = as it is, with < > as Double

An Integer constant is what fits 32 bits, as in Java; larger ones are `Long`.
"""

from __future__ import annotations

import math
import re

from .errors import EvaluationError

INT_MIN, INT_MAX = -(2**31), 2**31 - 1
LONG_MIN, LONG_MAX = -(2**63), 2**63 - 1


class Long(int):
    """A 64-bit constant; a plain int is a 32-bit one."""


#: None is SQL's NULL, and "unknown" as a truth value.
Value = bool | int | float | str | None

_WHOLE = re.compile(r"[+-]?[0-9]{1,19}\Z")
_DOUBLE = re.compile(
    r"[+-]?(?:NaN|Infinity|(?P<number>(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)[fFdD]?)\Z", re.ASCII
)
# What Java's trim() takes off.
_BLANKS = "".join(map(chr, range(33)))


def java_whole(text: str, least: int, greatest: int) -> int:
    """Raises EvaluationError."""
    if _WHOLE.match(text):
        value = int(text)
        if least <= value <= greatest:
            return value
    raise EvaluationError(f"{text[:64]!r} is no whole number")


def java_double(text: str) -> float:
    """Raises EvaluationError. Hexadecimal floating point, which Java reads too, is not."""
    trimmed = text.strip(_BLANKS)
    found = _DOUBLE.match(trimmed)
    if found is None:
        raise EvaluationError(f"{text[:64]!r} is no number")
    if found["number"] is None:
        return float(trimmed)
    sign = -1.0 if trimmed[0] == "-" else 1.0
    return sign * float(found["number"])


def is_number(value: Value) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def compare(left: Value, right: Value) -> int:
    """Below, at or above 0. Values that have no order are -1, as on Apache. Raises EvaluationError."""
    if isinstance(left, bool) or isinstance(right, bool):
        return _compare_truth(left, right)
    if isinstance(left, str) and isinstance(right, str):
        return (left > right) - (left < right)
    if isinstance(left, str):
        left = _as_type_of(right, left)
    elif isinstance(right, str):
        right = _as_type_of(left, right)
    if isinstance(left, float) or isinstance(right, float):
        return _compare_doubles(float(left or 0), float(right or 0))
    return _sign(int(left or 0) - int(right or 0))


def equals(left: Value, right: Value) -> bool | None:
    """SQL's =, with Apache's two rules for NULL: unknown on the left, false on the right."""
    if left is None:
        return True if right is None else None
    if right is None:
        return False
    if type(left) is type(right) and left == right:
        return True
    return compare(left, right) == 0


def order(left: Value, right: Value) -> int:
    """For < <= > >=: two texts are compared as numbers. Raises EvaluationError."""
    if isinstance(left, str) and isinstance(right, str):
        return _compare_doubles(java_double(left), java_double(right))
    return compare(left, right)


def _compare_truth(left: Value, right: Value) -> int:
    if isinstance(left, bool) and isinstance(right, str):
        # A cast that fails in Java, in this direction only.
        raise EvaluationError(f"{left} cannot be compared with a text")
    if isinstance(left, str):
        left = left.lower() == "true"
    if isinstance(left, bool) and isinstance(right, bool):
        return left - right
    return -1


def _as_type_of(pattern: Value, text: str) -> int | float:
    if isinstance(pattern, float):
        return java_double(text)
    if isinstance(pattern, Long):
        return java_whole(text, LONG_MIN, LONG_MAX)
    return java_whole(text, INT_MIN, INT_MAX)


def _compare_doubles(left: float, right: float) -> int:
    """Java's Double.compareTo: NaN is equal to itself and above everything. (Java also has -0.0 below 0.0.)"""
    if math.isnan(left) or math.isnan(right):
        return math.isnan(left) - math.isnan(right)
    return (left > right) - (left < right)


def _sign(number: int) -> int:
    return (number > 0) - (number < 0)
