# SPDX-License-Identifier: Apache-2.0
"""A compiled filter, and the memory of those compiled last. Answers to Apache's SqlFilter."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from .errors import EvaluationError, FilterError
from .parser import Parser

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .expression import Expression

#: Apache has no limit but the frame's. Each message of a topic is tried on the expression, so a long one costs every
#: consumer of the broker.
MAX_EXPRESSION_CHARS = 8192

#: Filters remembered, compiled: one for each group and topic that uses one. 1024 of the longest take some 100 MB.
CACHE = 1024


@dataclass(frozen=True)
class SqlFilter:
    expression: Expression

    def matches(self, properties: Mapping[str, str]) -> bool:
        """Whether a consumer gets the message. A value of the wrong type is no match, never an error."""
        try:
            return self.expression.evaluate(properties) is True
        except EvaluationError:
            return False


@lru_cache(maxsize=CACHE)
def compile_sql(text: str) -> SqlFilter:
    """Raises FilterError with what is wrong, and where."""
    if len(text) > MAX_EXPRESSION_CHARS:
        raise FilterError(f"the expression has {len(text)} characters, more than {MAX_EXPRESSION_CHARS}")
    return SqlFilter(Parser(text).parse())
