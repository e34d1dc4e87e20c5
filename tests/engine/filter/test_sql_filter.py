# SPDX-License-Identifier: Apache-2.0
"""Which message a filter takes, and which filter is refused. What is expected follows Apache's grammar and classes."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rmq.filter import MAX_EXPRESSION_CHARS, FilterError, compile_sql
from rmq.filter.expression import MAX_DEPTH

MESSAGE = {
    "a": "5",
    "half": "5.5",
    "big": "3000000000",
    "minus": "-7",
    "word": "hello",
    "yes": "TRUE",
    "no": "false",
    "empty": "",
    "quote": "it's",
    "TAGS": "TagA",
    "padded": " 5 ",
    "nan": "NaN",
}


@pytest.mark.parametrize(
    "text",
    [
        "a = 5",
        "a = '5'",
        "a <> 6",
        "a > 4 AND a < 6",
        "a >= 5 and a <= 5",
        "a = 5.0",
        "half > 5.0",
        "half = 5.5",
        "half > .5E1",
        "big > 2999999999",
        "big = 3000000000L",
        "minus = -7",
        "minus < +0",
        "a > -5",
        "a BETWEEN 2 AND 5",
        "a not between 6 and 9",
        "a NOT BETWEEN 9 AND 6",
        "a < half",
        "word IN ('x', 'hello')",
        "word not in ('x')",
        "word IS NOT NULL",
        "missing IS NULL",
        "NOT (a = 6)",
        "NOT (a = 6) AND NOT (a = 7)",
        "a = 6 OR word = 'hello'",
        "missing = 'x' OR a = 5",
        "(a = 5 OR a = 6) AND (word = 'hello')",
        "word CONTAINS 'ell'",
        "word STARTSWITH 'he'",
        "word endswith 'lo'",
        "word NOT CONTAINS 'x'",
        "word NOT STARTSWITH 'x'",
        "word NOT ENDSWITH 'x'",
        "yes = TRUE",
        "no = FALSE",
        "yes <> FALSE",
        "word = FALSE",
        "quote = 'it''s'",
        "TAGS is not null and TAGS in ('TagA', 'TagB')",
        "TRUE",
        "a = 5 -- why\n AND word = 'hello'",
        "a /* five */ = /**/ 5",
        "a\n=\t5",
        "empty = ''",
        "padded > 4.5",
        "nan > 1.5",
        "a = 5 trailing words are not looked at",
        "a = 5 -- nor a comment without an end",
        "(a = 5) = TRUE",
        "a = a",
    ],
)
def test_message_is_taken(text: str) -> None:
    assert compile_sql(text).matches(MESSAGE)


@pytest.mark.parametrize(
    "text",
    [
        "a = 6",
        "A = 5",
        "a <> 5",
        "missing = 5",
        "missing <> 5",
        "missing > 5",
        "NOT (missing = 5)",
        "missing IN ('x')",
        "missing NOT IN ('x')",
        "missing NOT CONTAINS 'x'",
        "missing CONTAINS 'x'",
        "word CONTAINS ''",
        "word NOT CONTAINS ''",
        "word > 5",
        "word > 5 OR a = 5",
        "half > 5",
        "big > 5",
        "padded > 4",
        "word > a",
        "word = 5",
        "a",
        "NOT missing",
        "word AND a = 5",
        "a = -word",
        "FALSE",
        "NULL",
        "NULL OR missing = 1",
        "TRUE = yes",
        "5 = TRUE",
        "missing IS NOT NULL",
        "a IS NULL",
        "a between 6 and 7",
        "minus - 7",
    ],
)
def test_message_is_not_taken(text: str) -> None:
    assert not compile_sql(text).matches(MESSAGE)


def test_not_binds_closer_than_equals() -> None:
    """Apache's grammar: NOT a is a truth value, which is compared with 5."""
    assert not compile_sql("NOT a = 6").matches(MESSAGE)
    assert compile_sql("NOT a = TRUE").matches(MESSAGE)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", 'Encountered "<EOF>" at line 1, column 1.'),
        ("a =", 'Encountered "<EOF>" at line 1, column 4.'),
        ("a and between 2 and 10", 'Encountered "between" at line 1, column 7.'),
        ("a >\n = 5", 'Encountered "=" at line 2, column 2.'),
        ("a != 5", "Lexical error"),
        ("a = 5 ;", "Lexical error"),
        ("a = 'open", "Lexical error"),
        ("5", "Expression will not result in a boolean value: 5"),
        ("'x' AND a = 5", "Expression will not result in a boolean value: 'x'"),
        ("-a", "Expression will not result in a boolean value: (- a)"),
        ("a > 'x'", "Value ''x'' cannot be compared."),
        ("a > TRUE", "Value 'TRUE' cannot be compared."),
        ("a > NULL", "Value 'NULL' cannot be compared."),
        ("a > 5 > 3", "Value '(a > 5)' cannot be compared."),
        ("a = NULL", "'NULL' cannot be compared."),
        ("TRUE = 5", "'TRUE' cannot be compared with '5'"),
        ("a between 10 and 0", "left value(10) must less than or equal to right value(0)"),
        ("a between 'a' and 'b'", "cannot be compared"),
        ("a between 1 and NULL", "values can not be null"),
        ("5 IN ('x')", "Expected a property for In expression, got: 5"),
        ("a IN (5)", 'Encountered "5"'),
        ("a IN ()", 'Encountered ")"'),
        ("a NOT 5", 'Encountered "5"'),
        ("a IS 5", 'Encountered "5"'),
        ("a > 100000000000000000000000", "For input string"),
        ("a > 9223372036854775808", "For input string"),
        ("a > 1e999", "is greater than"),
        ("a > 0.0", "is less than"),
        ("(a = 5", 'Encountered "<EOF>"'),
    ],
)
def test_filter_is_refused(text: str, why: str) -> None:
    with pytest.raises(FilterError) as caught:
        compile_sql(text)
    assert why in str(caught.value)


def test_length_and_depth_have_limits() -> None:
    compile_sql(" OR ".join(f"a = {number}" for number in range(600))).matches(MESSAGE)
    for text in (
        "a = 5" + " " * MAX_EXPRESSION_CHARS,
        "(" * (MAX_DEPTH + 1) + "a = 5" + ")" * (MAX_DEPTH + 1),
        "NOT " * (MAX_DEPTH + 1) + "a",
        "a" + " = TRUE" * (MAX_DEPTH + 1),
        "a = " + "-" * (MAX_DEPTH + 1) + "5",
    ):
        with pytest.raises(FilterError):
            compile_sql(text)
    deepest = "(" * MAX_DEPTH + "a = 5" + ")" * MAX_DEPTH
    assert compile_sql(deepest).matches(MESSAGE)


WORDS = ["a", "half", "word", "missing", "5", "5.5", "'x'", "TRUE", "NULL", "NOT", "AND", "OR", "(", ")", "=", "<>"]
WORDS += [">", "<=", "IN", "BETWEEN", "IS", "CONTAINS", ",", "-", "+", "--", "/*", "'", "!", "9" * 30, "_$"]


@given(st.lists(st.sampled_from(WORDS), max_size=30))
def test_any_words_are_compiled_or_refused(words: list[str]) -> None:
    try:
        found = compile_sql(" ".join(words))
    except FilterError:
        return
    assert found.matches(MESSAGE) in (True, False)


@given(st.text(max_size=40), st.text(max_size=20))
def test_any_text_is_compiled_or_refused_and_any_value_is_compared(text: str, value: str) -> None:
    with contextlib.suppress(FilterError):
        compile_sql(text)
    for expression in ("a > 5", "a = 5.5", "a = TRUE", "a = 3000000000", "a > b", "a CONTAINS 'x'"):
        assert compile_sql(expression).matches({"a": value, "b": value}) in (True, False)
