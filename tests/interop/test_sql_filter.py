# SPDX-License-Identifier: Apache-2.0
"""Random SQL92 filters on random properties: Apache's filter and ours let the same messages through, and refuse the
same expressions. All in one JVM, no broker. TEST_SEED replays a run."""

from __future__ import annotations

import os
import random
import subprocess
from typing import TYPE_CHECKING

from rmq.filter import FilterError, compile_sql

from .harness.engine import java_argv

if TYPE_CHECKING:
    from collections.abc import Callable

CASES = 5_000
SEED = int(os.environ.get("TEST_SEED") or int.from_bytes(os.urandom(4), "big"))
JVM_DEADLINE_S = 120
SHOWN = 20

NAMES = ("a", "b", "c", "missing", "_x$1", "TAGS", "NOTa")
TEXTS = ("x", "abc", "", "it''s", "5", "5.0", "true", "é", " x ")
NUMBERS = ("0", "1", "5", "5.0", "5.5", "-3", "9223372036854775807", "1e3", "0x1F", "010", "2147483648", ".5", "5L")
VALUES = ("x", "abc", "", "it's", "5", "5.0", "5.5", "-3", "true", "TRUE", "false", "1e3", "NaN", "é", " 5", "9" * 30)
COMPARISONS = ("=", "<>", ">", ">=", "<", "<=")


class Grammar:
    """Expressions that mostly mean something."""

    def __init__(self, dice: random.Random) -> None:
        self._dice = dice

    def expression(self, depth: int = 0) -> str:
        dice = self._dice
        if depth > 3 or dice.random() < 0.4:
            return self._test(depth)
        kind = dice.randrange(4)
        if kind == 0:
            return f"{self.expression(depth + 1)} {self._word('AND')} {self.expression(depth + 1)}"
        if kind == 1:
            return f"{self.expression(depth + 1)} {self._word('OR')} {self.expression(depth + 1)}"
        if kind == 2:
            return f"{self._word('NOT')} {self.expression(depth + 1)}"
        return f"({self.expression(depth + 1)})"

    def _word(self, word: str) -> str:
        return self._dice.choice((word, word, word.lower(), word.capitalize()))

    def _test(self, depth: int) -> str:
        dice = self._dice
        name = dice.choice(NAMES)
        negated = f"{self._word('NOT')} " if dice.random() < 0.3 else ""
        kind = dice.randrange(9)
        if kind == 0:
            return f"{name} {self._word('IS')} {negated}{self._word('NULL')}"
        if kind == 1:
            texts = ", ".join(self._text() for _ in range(dice.randint(1, 3)))
            return f"{name} {negated}{self._word('IN')} ({texts})"
        if kind == 2:
            return f"{name} {negated}{self._word('BETWEEN')} {self._number()} {self._word('AND')} {self._number()}"
        if kind == 3:
            word = self._word(dice.choice(("CONTAINS", "STARTSWITH", "ENDSWITH")))
            return f"{name} {negated}{word} {self._text()}"
        if kind == 4:
            return self._primary(depth)
        return f"{self._primary(depth)} {dice.choice(COMPARISONS)} {self._primary(depth)}"

    def _primary(self, depth: int) -> str:
        dice = self._dice
        kind = dice.randrange(10)
        if kind < 4:
            return dice.choice(NAMES)
        if kind < 6:
            return self._number()
        if kind < 8:
            return self._text()
        if kind == 8:
            return self._word(dice.choice(("TRUE", "FALSE", "NULL")))
        return f"({self.expression(depth + 1)})"

    def _number(self) -> str:
        return self._dice.choice(NUMBERS)

    def _text(self) -> str:
        return f"'{self._dice.choice(TEXTS)}'"


def _case(dice: random.Random) -> tuple[str, dict[str, str]]:
    text = Grammar(dice).expression()
    if dice.random() < 0.15:
        # Something that is no expression any more, most often.
        at = dice.randint(0, len(text))
        text = text[:at] + dice.choice(("(", ")", "'", "=", " AND ", "--", "1", "", "/* c */", ";", "\t")) + text[at:]
    return text, {name: dice.choice(VALUES) for name in NAMES if name != "missing" and dice.random() < 0.8}


def _ours(text: str, properties: dict[str, str]) -> str:
    try:
        return str(compile_sql(text).matches(properties)).lower()
    except FilterError:
        return "refused"


def _apaches(cases: list[tuple[str, dict[str, str]]]) -> list[str]:
    lines = [
        "\t".join(part.encode().hex() for part in (text, *[piece for item in properties.items() for piece in item]))
        for text, properties in cases
    ]
    argv = java_argv("interop.FilterMatch", logback="client.logback.xml", options=("-Xmx256m", "-Xss8m"))
    done = subprocess.run(
        argv, input="\n".join(lines) + "\n", text=True, stdout=subprocess.PIPE, check=True, timeout=JVM_DEADLINE_S
    )
    return done.stdout.split()


def test_random_filters_let_the_same_messages_through(print_figures: Callable[[str], None]) -> None:
    dice = random.Random(SEED)
    cases = [_case(dice) for _ in range(CASES)]
    theirs = _apaches(cases)
    assert len(theirs) == CASES
    ours = [_ours(*case) for case in cases]
    differing = [(one, *case, two) for case, one, two in zip(cases, theirs, ours, strict=True) if one != two]
    counts = {word: theirs.count(word) for word in ("true", "false", "refused")}
    print_figures(f"{CASES} filters with TEST_SEED={SEED}: {counts}, {len(differing)} differ")
    assert min(counts.values()) > CASES // 20
    assert not differing, f"TEST_SEED={SEED}\n" + "\n".join(map(str, differing[:SHOWN]))
