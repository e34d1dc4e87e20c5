# SPDX-License-Identifier: Apache-2.0
"""SQL92 filters on the properties of a message: text in, a test out. Answers to Apache's filter module.

No input, no output, and nothing of the broker. `compile_sql(text).matches(properties)` is all that others use. No
library is used: what there is for SQL in Python parses SQL, not the selector language of JMS whose rules on types and
null decide which message a consumer gets.
"""

from __future__ import annotations

from .errors import FilterError
from .sql_filter import MAX_EXPRESSION_CHARS, SqlFilter, compile_sql

__all__ = ["MAX_EXPRESSION_CHARS", "FilterError", "SqlFilter", "compile_sql"]
