# SPDX-License-Identifier: Apache-2.0
"""Expressions: checked when they are built, and then a function from properties to a value.

Answers to the expression classes of Apache: what may stand where, and what is said when it may not, is decided here;
how values compare is in `values`. Truth has three values, and None is "unknown":

    AND  false if any is false, else unknown if any is unknown
    OR   true if any is true, else unknown if any is unknown
    NOT  unknown stays unknown

A message matches only where the whole is true.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING

from .errors import FilterError
from .values import INT_MAX, INT_MIN, Long, Value, compare, equals, is_number, order

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    #: From the properties of a message to a value. Raises EvaluationError.
    Evaluate = Callable[[Mapping[str, str]], Value]

#: Expressions within expressions. Each level costs a Python call for each message; nobody writes more by hand.
MAX_DEPTH = 64


class Kind(Enum):
    CONSTANT = auto()
    PROPERTY = auto()
    OTHER = auto()


@dataclass(frozen=True)
class Expression:
    text: str
    evaluate: Evaluate
    is_boolean: bool = False
    kind: Kind = Kind.OTHER
    #: Of a constant.
    value: Value = None
    depth: int = 1

    def __post_init__(self) -> None:
        if self.depth > MAX_DEPTH:
            raise FilterError(f"expressions are nested deeper than {MAX_DEPTH}")


def constant(value: Value) -> Expression:
    return Expression(
        _constant_text(value), lambda _: value, value is None or value is True or value is False, Kind.CONSTANT, value
    )


def whole_number(text: str) -> Expression:
    """Raises FilterError for more than 64 bits."""
    value = int(text.rstrip("lL")) if len(text) <= 20 else INT_MAX << 64
    if value >= 1 << 63:
        raise FilterError(f'For input string: "{text[:64]}"')
    return constant(value if INT_MIN <= value <= INT_MAX else Long(value))


def real_number(text: str) -> Expression:
    """Raises FilterError for what no double holds, and for 0.0, which Apache counts as too small."""
    value = float(text)
    if value == float("inf"):
        raise FilterError(f"{text[:64]} is greater than 1.7976931348623157E308")
    if value == 0.0:
        raise FilterError(f"{text[:64]} is less than 4.9E-324")
    return constant(value)


def property_value(name: str) -> Expression:
    return Expression(name, lambda properties: properties.get(name), kind=Kind.PROPERTY)


def as_boolean(expression: Expression) -> Expression:
    """What stands where a truth value has to. A property is a text: false, or unknown where it is not there."""
    if expression.is_boolean:
        return expression
    if expression.kind is not Kind.PROPERTY:
        raise FilterError(f"Expression will not result in a boolean value: {expression.text}")
    evaluate = expression.evaluate
    return _boolean(expression.text, lambda properties: None if evaluate(properties) is None else False, expression)


def negative(expression: Expression) -> Expression:
    """Of a number; of anything else, NULL."""
    evaluate = expression.evaluate

    def negated(properties: Mapping[str, str]) -> Value:
        value = evaluate(properties)
        if not is_number(value):
            return None
        return Long(-value) if isinstance(value, Long) else -value  # type: ignore[operator]

    return Expression(f"(- {expression.text})", negated, depth=expression.depth + 1)


def negation(expression: Expression) -> Expression:
    evaluate = expression.evaluate

    def negated(properties: Mapping[str, str]) -> Value:
        value = evaluate(properties)
        return None if value is None else not value

    return _boolean(f"(NOT {expression.text})", negated, expression)


def conjunction(operands: Sequence[Expression]) -> Expression:
    return _joined(operands, "&&", decisive=False)


def disjunction(operands: Sequence[Expression]) -> Expression:
    return _joined(operands, "||", decisive=True)


def equal(left: Expression, right: Expression) -> Expression:
    """Raises FilterError for NULL, and for a truth value compared with another constant."""
    for side in (left, right):
        if side.kind is Kind.CONSTANT and side.value is None:
            raise FilterError(f"'{side.text}' cannot be compared.")
    if left.kind is right.kind is Kind.CONSTANT and left.is_boolean and not right.is_boolean:
        raise FilterError(f"'{left.text}' cannot be compared with '{right.text}'")
    return _equal(left, right)


def is_null(expression: Expression) -> Expression:
    return _equal(expression, constant(None))


_ORDERS: dict[str, Callable[[int], bool]] = {
    ">": lambda answer: answer > 0,
    ">=": lambda answer: answer >= 0,
    "<": lambda answer: answer < 0,
    "<=": lambda answer: answer <= 0,
}
ORDER_SYMBOLS = frozenset(_ORDERS)


def ordered(left: Expression, symbol: str, right: Expression) -> Expression:
    """Raises FilterError for a text and for a truth value."""
    for side in (left, right):
        if side.is_boolean or (side.kind is Kind.CONSTANT and not is_number(side.value)):
            raise FilterError(f"Value '{side.text}' cannot be compared.")
    decide, left_value, right_value = _ORDERS[symbol], left.evaluate, right.evaluate

    def evaluate(properties: Mapping[str, str]) -> Value:
        low = left_value(properties)
        if low is None:
            return None
        high = right_value(properties)
        return None if high is None else decide(order(low, high))

    return _boolean(f"({left.text} {symbol} {right.text})", evaluate, left, right)


def between(value: Expression, low: Expression, high: Expression) -> Expression:
    """Raises FilterError also for an empty range of constants; NOT BETWEEN has no such rule."""
    if low.kind is high.kind is Kind.CONSTANT:
        if low.value is None or high.value is None:
            raise FilterError("Illegal values of between, values can not be null!")
        if is_number(low.value) and is_number(high.value) and compare(high.value, low.value) < 0:
            raise FilterError(
                f"Illegal values of between, left value({low.text}) must less than or equal to right value({high.text})"
            )
    return conjunction((ordered(value, ">=", low), ordered(value, "<=", high)))


def not_between(value: Expression, low: Expression, high: Expression) -> Expression:
    return disjunction((ordered(value, "<", low), ordered(value, ">", high)))


_TEXT_TESTS: dict[str, Callable[[str, str], bool]] = {
    "CONTAINS": str.__contains__,
    "STARTSWITH": str.startswith,
    "ENDSWITH": str.endswith,
}
TEXT_TESTS = frozenset(_TEXT_TESTS)


def text_test(expression: Expression, name: str, searched: str, *, negated: bool) -> Expression:
    """CONTAINS and its like: false, also negated, for what is no text and for an empty searched text."""
    test, evaluate = _TEXT_TESTS[name], expression.evaluate

    def tested(properties: Mapping[str, str]) -> Value:
        value = evaluate(properties)
        return isinstance(value, str) and bool(searched) and test(value, searched) is not negated

    symbol = f"NOT {name}" if negated else name
    return _boolean(f"({symbol} {expression.text})", tested, expression)


def in_list(expression: Expression, texts: Sequence[str], *, negated: bool) -> Expression:
    """Raises FilterError where no property is on the left."""
    if expression.kind is not Kind.PROPERTY:
        raise FilterError(f"Expected a property for In expression, got: {expression.text}")
    listed, evaluate = frozenset(texts), expression.evaluate

    def found(properties: Mapping[str, str]) -> Value:
        value = evaluate(properties)
        return None if value is None else (value in listed) is not negated

    symbol = "NOT IN" if negated else "IN"
    return _boolean(f"{expression.text} {symbol} ( {', '.join(texts)} )", found, expression)


def _equal(left: Expression, right: Expression) -> Expression:
    left_value, right_value = left.evaluate, right.evaluate
    return _boolean(
        f"({left.text} == {right.text})",
        lambda properties: equals(left_value(properties), right_value(properties)),
        left,
        right,
    )


def _joined(operands: Sequence[Expression], symbol: str, *, decisive: bool) -> Expression:
    """One node for a whole chain, so that a long one is not deep."""
    functions = [operand.evaluate for operand in operands]

    def evaluate(properties: Mapping[str, str]) -> Value:
        answer: Value = not decisive
        for function in functions:
            value = function(properties)
            if value is decisive:
                return decisive
            if value is None:
                answer = None
        return answer

    return _boolean(f"({f' {symbol} '.join(operand.text for operand in operands)})", evaluate, *operands)


def _boolean(text: str, evaluate: Evaluate, *operands: Expression) -> Expression:
    return Expression(text, evaluate, True, depth=1 + max(operand.depth for operand in operands))


def _constant_text(value: Value) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, str):
        return "'{}'".format(value.replace("'", "''"))
    return repr(value)
