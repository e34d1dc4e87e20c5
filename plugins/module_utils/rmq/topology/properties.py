# SPDX-License-Identifier: Apache-2.0
"""Java's properties syntax, as `java.util.Properties.load` reads it, with the line of every setting kept.

    # comment          ! comment
    key=value          key:value          key value
    key = a value that goes on \\
          in the next line
    k\\u0065y=escaped

Blanks before the key, around the first separator and at the start of a continued line are dropped; blanks at the END
of a value are kept by Java, and are how ``slaveReadEnable=true `` came to mean false. They are kept here too:
`settings` refuses them.

Apache reads a file as Latin-1. A file in UTF-8 (comments in Chinese are common) is read as UTF-8, and a value
outside ASCII is a fault, because the two engines would read two different values.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict, Iterator, List, Mapping, Optional, Tuple

from .fault import Fault, quoted
from .limits import SECRET_KEYS
from .rule import Rule

# A broker.conf that Apache rewrote in full has 456 lines and about 20 KB; beyond this it is some other file.
FILE_MAX_BYTES = 1024 * 1024

_ESCAPES = {"t": "\t", "n": "\n", "r": "\r", "f": "\f"}
_BLANKS = " \t\f"
_HEX = frozenset("0123456789abcdefABCDEF")


@dataclass(frozen=True)
class Setting:
    """One key with its value as written (escapes resolved, blanks at the end kept) and where it stands.

    ``line`` counts from 1; 0 means that the setting comes from no file (an inventory variable, a command line).
    """

    key: str
    value: str
    line: int
    source: str = ""

    @property
    def shown(self) -> str:
        """The setting as a fault quotes it: secrets masked."""
        return f"{quoted(self.key)}={'********' if self.key in SECRET_KEYS else quoted(self.value)}"

    @property
    def place(self) -> str:
        """``file:line``, or the source alone."""
        return f"{self.source}:{self.line}" if self.line else self.source


@dataclass(frozen=True)
class Parsed:
    """The settings of one file in their order, and what could not be read of it."""

    settings: Tuple[Setting, ...]
    faults: Tuple[Fault, ...]


def parse(data: bytes, source: str) -> Parsed:
    """Read a properties file's bytes; ``source`` is its name in faults. Nothing is raised."""
    if len(data) > FILE_MAX_BYTES:
        fault = Rule.FILE_UNREADABLE.fault(source, f"{len(data)} bytes", "Name a properties file with -c")
        return Parsed((), (fault,))
    settings: List[Setting] = []
    faults: List[Fault] = []
    for number, line in _logical_lines(_decoded(data)):
        place = f"{source}:{number}"
        if "\x00" in line:
            faults.append(
                Rule.FILE_UNREADABLE.fault(place, quoted(line), "This is no text file; name a properties file")
            )
            break
        raw_key, raw_value = _split(line)
        key, value = _unescaped(raw_key), _unescaped(raw_value)
        if key is None or value is None:
            faults.append(Rule.FILE_ESCAPE.fault(place, quoted(raw_key), "Write \\uXXXX, or \\\\ for a backslash"))
            continue
        setting = Setting(key, value, number, source)
        settings.append(setting)
        if not raw_value.isascii():
            mend = f"Write {'it so' if key in SECRET_KEYS else f'{raw_key}={_ascii(value)}'}"
            faults.append(Rule.VALUE_ASCII.fault(place, setting.shown, mend))
    return Parsed(tuple(settings), tuple(faults))


def render(values: Mapping[str, str]) -> str:
    """The text of a properties file with these settings in the mapping's order; `parse` gives them back."""
    return "".join(f"{_escaped(key, is_key=True)}={_escaped(value, is_key=False)}\n" for key, value in values.items())


def last_values(settings: Tuple[Setting, ...]) -> Dict[str, Setting]:
    """The setting of each key that Java would use: the last one."""
    return {setting.key: setting for setting in settings}


def _decoded(data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def _logical_lines(text: str) -> Iterator[Tuple[int, str]]:
    """Lines with continuations joined, comments and empty lines left out; the number is that of the first line."""
    pending: Optional[str] = None
    start = 0
    for number, natural in enumerate(text.replace("\r\n", "\n").replace("\r", "\n").split("\n"), start=1):
        stripped = natural.lstrip(_BLANKS)
        if pending is None:
            if not stripped or stripped[0] in "#!":
                continue
            pending, start = "", number
        if _goes_on(stripped):
            pending += stripped[:-1]
            continue
        yield start, pending + stripped
        pending = None
    if pending:
        yield start, pending


def _goes_on(line: str) -> bool:
    """A line goes on in the next one when it ends with an odd number of backslashes."""
    return (len(line) - len(line.rstrip("\\"))) % 2 == 1


def _split(line: str) -> Tuple[str, str]:
    index = 0
    while index < len(line) and line[index] not in "=:" + _BLANKS:
        index += 2 if line[index] == "\\" else 1
    key, rest = line[:index], line[index:].lstrip(_BLANKS)
    if rest[:1] in ("=", ":"):
        rest = rest[1:].lstrip(_BLANKS)
    return key, rest


def _unescaped(text: str) -> Optional[str]:
    """The text with its escapes resolved; None for a broken ``\\u``."""
    if "\\" not in text:
        return text
    out: List[str] = []
    index = 0
    while index < len(text):
        char = text[index]
        if char != "\\":
            out.append(char)
            index += 1
            continue
        follower = text[index + 1 : index + 2]
        if follower == "u":
            digits = text[index + 2 : index + 6]
            if len(digits) != 4 or not _HEX.issuperset(digits):
                return None
            out.append(chr(int(digits, 16)))
            index += 6
            continue
        out.append(_ESCAPES.get(follower, follower))
        index += 2
    # Java's characters are UTF-16: two escapes make one character outside the first plane.
    return "".join(out).encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")


def _escaped(text: str, *, is_key: bool) -> str:
    special = "\\=:#! " if is_key else "\\"
    out = _ascii("".join("\\" + char if char in special else char for char in text))
    return "\\" + out if not is_key and out[:1] == " " else out


def _ascii(text: str) -> str:
    """The text with everything outside printable ASCII written as ``\\uXXXX`` in UTF-16, as Java has it."""
    out: List[str] = []
    for char in text:
        if " " <= char <= "~":
            out.append(char)
            continue
        units = char.encode("utf-16-be", "surrogatepass")
        out.extend(f"\\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2))
    return "".join(out)
