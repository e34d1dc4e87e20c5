# SPDX-License-Identifier: Apache-2.0
"""One thing that is wrong with what a user wrote, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Dict, Iterable, List

# A fault quotes what the user wrote; a whole file pasted into a variable must not fill the screen.
_QUOTED_MAX_CHARS = 160


@dataclass(frozen=True, order=True)
class Fault:
    """Who has it, what was found, which rule it breaks, how to mend it.

    ``host`` is the inventory host, or ``file:line`` for a setting that was read from a file. ``name`` is the rule's
    short name (``one-master``), by which documents and tests speak of it.
    """

    host: str
    value: str
    rule: str
    mend: str
    name: str = ""

    def text(self) -> str:
        """The fault in one line, safe to print: no control characters, nothing endless."""
        head = f"{self.host}: {self.value}" if self.host else self.value
        return one_line(f"{head}: {self.rule}. {self.mend}")


def lines(faults: Iterable[Fault]) -> List[str]:
    """One line for each fault, in their order; hosts that have the same one (a group's variable) share a line."""
    hosts: Dict[Fault, List[str]] = {}
    for fault in faults:
        hosts.setdefault(replace(fault, host=""), []).append(fault.host)
    return [replace(fault, host=", ".join(names)).text() for fault, names in hosts.items()]


def quoted(value: object) -> str:
    """What the user wrote, cut to a length that fits a line; blanks and line breaks stay visible."""
    text = value if isinstance(value, str) else _plain(value)
    if text != text.strip() or not text or not text.isprintable():
        text = repr(text)
    return text if len(text) <= _QUOTED_MAX_CHARS else text[:_QUOTED_MAX_CHARS] + "..."


def one_line(text: str) -> str:
    """The text without anything that would break the line or colour the terminal."""
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)


def _plain(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    try:
        return repr(value)
    except (ValueError, RecursionError):
        # Python refuses to print an integer of more than 4300 digits; YAML may hold a structure that contains itself.
        return f"a {type(value).__name__} that cannot be shown"
