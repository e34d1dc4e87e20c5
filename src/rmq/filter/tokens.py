# SPDX-License-Identifier: Apache-2.0
"""The words of a filter, cut off one by one as the parser asks for them. Answers to SelectorParserTokenManager.

    keywords   NOT AND OR BETWEEN IN TRUE FALSE NULL IS CONTAINS STARTSWITH ENDSWITH, in any case
    DECIMAL    0, or digits that do not begin with 0; an l or L may follow
    FLOAT      5.5  5.  .5  5E10
    STRING     'text', a quote in it doubled
    ID         a letter, _ or $, then those and digits
    skipped    blanks, comments: -- to the end of a line that has one, and the form with slash and star

The longest word wins.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from .errors import FilterError

KEYWORDS = frozenset(
    ("NOT", "AND", "OR", "BETWEEN", "IN", "TRUE", "FALSE", "NULL", "IS", "CONTAINS", "STARTSWITH", "ENDSWITH")
)
DECIMAL, FLOAT, STRING, ID, END = "DECIMAL", "FLOAT", "STRING", "ID", "END"

_SKIPPED = re.compile(r"(?:[ \t\n\r\f]+|--[^\n\r]*(?:\r\n|\n|\r)|/\*[^*]*\*(?:\*|[^*/][^*]*\*)*/)*")
_WORD = re.compile(
    r"(?P<FLOAT>[0-9]+\.[0-9]*(?:[eE][+-]?[0-9]+)?|\.[0-9]+(?:[eE][+-]?[0-9]+)?|[0-9]+[eE][+-]?[0-9]+)"
    r"|(?P<DECIMAL>0|[1-9][0-9]*[lL]?)"
    r"|(?P<STRING>'(?:''|[^'])*')"
    r"|(?P<ID>[a-zA-Z_$][a-zA-Z0-9_$]*)"
    r"|(?P<SYMBOL><>|<=|>=|[=<>(),+-])"
)


class Token(NamedTuple):
    #: One of the names above, a keyword in capitals, or the symbol itself.
    kind: str
    text: str
    position: int


class Tokens:
    def __init__(self, text: str) -> None:
        self._text = text
        self._ahead: list[Token] = []
        self._position = 0

    def peek(self, ahead: int = 0) -> Token:
        """The next word, or the one that many behind it. Raises FilterError for what is no word."""
        while len(self._ahead) <= ahead:
            self._ahead.append(self._cut())
        return self._ahead[ahead]

    def next(self) -> Token:
        token = self.peek()
        del self._ahead[0]
        return token

    def take(self, kind: str) -> Token:
        """The next word, which must be of that kind. Raises FilterError."""
        if self.peek().kind != kind:
            raise self.unexpected()
        return self.next()

    def unexpected(self) -> FilterError:
        token = self.peek()
        text = "<EOF>" if token.kind == END else token.text[:64]
        return FilterError(f'Encountered "{text}" at {self._place(token.position)}.')

    def _cut(self) -> Token:
        skipped = _SKIPPED.match(self._text, self._position)
        start = skipped.end() if skipped else self._position
        if start == len(self._text):
            return Token(END, "", start)
        found = _WORD.match(self._text, start)
        if found is None:
            raise FilterError(f'Lexical error at {self._place(start)}. Encountered: "{self._text[start]}"')
        self._position = found.end()
        kind, text = found.lastgroup or "", found.group()
        if kind == "SYMBOL":
            kind = text
        elif kind == ID and text.upper() in KEYWORDS:
            kind = text.upper()
        return Token(kind, text, start)

    def _place(self, position: int) -> str:
        before = self._text[:position]
        return f"line {before.count(chr(10)) + 1}, column {position - before.rfind(chr(10))}"


def string_value(text: str) -> str:
    """Without the quotes around, doubled ones single."""
    return text[1:-1].replace("''", "'")
