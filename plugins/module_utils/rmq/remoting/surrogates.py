# SPDX-License-Identifier: Apache-2.0
"""Halves of surrogate pairs in JSON: `"\\ud800"` alone is JSON, and no text that could be written as UTF-8.

Java keeps the half and writes `?` wherever the text becomes bytes. Here it is a `?` from the beginning: a text that
cannot be written must not get into a table, where it would stop every later write of that table.
"""

from __future__ import annotations

import re
from typing import Match

# Every escape is consumed, so that the second half of an escaped backslash begins none.
_ESCAPE = re.compile(
    r"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(?P<half>u[dD][89a-fA-F][0-9a-fA-F]{2})|.)",
    re.DOTALL,
)


def without_halves(text: str) -> str:
    """JSON text in which each escape of a lone surrogate is a question mark."""
    if "\\ud" not in text and "\\uD" not in text:
        return text
    return _ESCAPE.sub(_replace, text)


def has_surrogates(raw: bytes) -> bool:
    """Whether there may be any, paired or not."""
    return b"\\ud" in raw or b"\\uD" in raw


def _replace(match: Match[str]) -> str:
    return "?" if match.group("half") else match.group()
