# SPDX-License-Identifier: Apache-2.0
"""One command line, and how the two engines' answers to it are compared."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

#: Numbers as words: counts, times, versions, ratios, sizes.
NUMBERS = r"-?\b\d+([.,:/%-]\d+)*\b( ([KMGT]i)?B\b)?"


@dataclass(frozen=True)
class Case:
    """A command line with the placeholders of `Side.values`.

    `live`: what differs in the answer between two runs of one engine. `repeats`: so does how often a line comes.
    `differs`: names of entries of differences.md that this answer has to show. `files`: what the command writes, below
    the side's directory; compared like the answer. `own_process`: a JVM of its own, whose exit status is compared.
    `until`: the command runs until it is stopped; it is stopped when this text was printed as often as `times` says.
    `sometimes`: a pattern of lines that are not there in each run of one engine.
    `shows`: a pattern; the command is repeated until its answer has it, as an engine works some things out later.
    `rereads`: it makes the consumer read everything once more; it is over when that has happened.
    """

    line: str
    live: str = ""
    repeats: bool = False
    differs: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    own_process: bool = False
    until: str = ""
    times: int = 1
    shows: str = ""
    rereads: bool = False
    sometimes: str = ""

    @property
    def command(self) -> str:
        return self.line.split()[0]

    def argv(self, values: dict[str, str]) -> list[str]:
        return [arg.format_map(values) for arg in shlex.split(self.line)]
