# SPDX-License-Identifier: Apache-2.0
"""The grammar, one method for each rule. Answers to Apache's SelectorParser.

    or          and (OR and)*
    and         equality (AND equality)*
    equality    comparison (= comparison | <> comparison | IS NULL | IS NOT NULL)*
    comparison  unary ( (> >= < <=) unary
                      | [NOT] (CONTAINS STARTSWITH ENDSWITH) string
                      | [NOT] BETWEEN unary AND unary
                      | [NOT] IN ( string (, string)* ) )*
    unary       + unary | - unary | NOT unary | primary
    primary     string | number | TRUE | FALSE | NULL | property | ( or )

Two surprises are Apache's: NOT binds closer than =, so `NOT a = 5` compares `NOT a` with 5; and what follows a whole
expression is not looked at, so `a = 5 b = 6` is `a = 5`. A consumer that runs there gets the same messages here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import expression as make
from .errors import FilterError
from .tokens import DECIMAL, FLOAT, ID, STRING, Tokens, string_value

if TYPE_CHECKING:
    from collections.abc import Callable

    from .expression import Expression

_CONSTANTS = {"TRUE": True, "FALSE": False, "NULL": None}


class Parser:
    """For one text. The methods raise FilterError."""

    def __init__(self, text: str) -> None:
        self._tokens = Tokens(text)
        self._nesting = 0

    def parse(self) -> Expression:
        return make.as_boolean(self._or())

    def _or(self) -> Expression:
        return self._chain("OR", self._and, make.disjunction)

    def _and(self) -> Expression:
        return self._chain("AND", self._equality, make.conjunction)

    def _chain(
        self, symbol: str, operand: Callable[[], Expression], join: Callable[[list[Expression]], Expression]
    ) -> Expression:
        first = operand()
        if self._tokens.peek().kind != symbol:
            return first
        operands = [make.as_boolean(first)]
        while self._tokens.peek().kind == symbol:
            self._tokens.next()
            operands.append(make.as_boolean(operand()))
        return join(operands)

    def _equality(self) -> Expression:
        left = self._comparison()
        while True:
            kind = self._tokens.peek().kind
            if kind == "=":
                self._tokens.next()
                left = make.equal(left, self._comparison())
            elif kind == "<>":
                self._tokens.next()
                left = make.negation(make.equal(left, self._comparison()))
            elif kind == "IS":
                self._tokens.next()
                negated = self._take_not()
                self._tokens.take("NULL")
                left = make.negation(make.is_null(left)) if negated else make.is_null(left)
            else:
                return left

    def _comparison(self) -> Expression:
        left = self._unary()
        while True:
            kind = self._tokens.peek().kind
            if kind in make.ORDER_SYMBOLS:
                self._tokens.next()
                left = make.ordered(left, kind, self._unary())
            elif kind == "NOT":
                self._tokens.next()
                left = self._special(left, negated=True)
            elif kind in _SPECIAL:
                left = self._special(left, negated=False)
            else:
                return left

    def _special(self, left: Expression, *, negated: bool) -> Expression:
        """What may have NOT in front."""
        kind = self._tokens.peek().kind
        if kind not in _SPECIAL:
            raise self._tokens.unexpected()
        self._tokens.next()
        if kind == "BETWEEN":
            low = self._unary()
            self._tokens.take("AND")
            return (make.not_between if negated else make.between)(left, low, self._unary())
        if kind == "IN":
            return make.in_list(left, self._string_list(), negated=negated)
        return make.text_test(left, kind, self._string(), negated=negated)

    def _unary(self) -> Expression:
        kind = self._tokens.peek().kind
        if kind not in ("+", "-", "NOT"):
            return self._primary()
        self._tokens.next()
        operand = self._nested(self._unary)
        if kind == "+":
            return operand
        return make.negative(operand) if kind == "-" else make.negation(make.as_boolean(operand))

    def _primary(self) -> Expression:
        token = self._tokens.peek()
        if token.kind == "(":
            self._tokens.next()
            inner = self._nested(self._or)
            self._tokens.take(")")
            return inner
        if token.kind in _CONSTANTS:
            self._tokens.next()
            return make.constant(_CONSTANTS[token.kind])
        literal = _LITERALS.get(token.kind)
        if literal is None:
            raise self._tokens.unexpected()
        self._tokens.next()
        return literal(token.text)

    def _nested(self, rule: Callable[[], Expression]) -> Expression:
        """The parser's own stack is bounded as the expression's is."""
        self._nesting += 1
        if self._nesting > make.MAX_DEPTH:
            raise FilterError(f"expressions are nested deeper than {make.MAX_DEPTH}")
        inner = rule()
        self._nesting -= 1
        return inner

    def _take_not(self) -> bool:
        if self._tokens.peek().kind != "NOT":
            return False
        self._tokens.next()
        return True

    def _string(self) -> str:
        return string_value(self._tokens.take(STRING).text)

    def _string_list(self) -> list[str]:
        self._tokens.take("(")
        texts = [self._string()]
        while self._tokens.peek().kind == ",":
            self._tokens.next()
            texts.append(self._string())
        self._tokens.take(")")
        return texts


_SPECIAL = make.TEXT_TESTS | {"BETWEEN", "IN"}
_LITERALS: dict[str, Callable[[str], Expression]] = {
    STRING: lambda text: make.constant(string_value(text)),
    DECIMAL: make.whole_number,
    FLOAT: make.real_number,
    ID: make.property_value,
}
