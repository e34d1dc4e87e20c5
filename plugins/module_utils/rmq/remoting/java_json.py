# SPDX-License-Identifier: Apache-2.0
"""JSON as Apache's servers write it (fastjson): map keys need not be text.

- A map with numbers for keys is written without quotes: {0:"192.0.2.21:10911"}. Read here as text keys, so that both
  forms look alike; written here for a dict with int keys, because old Java clients expect it.
- A map with objects for keys is written with objects: {{"queueId":1,"topic":"T"}:{"maxOffset":2}}. Read here as
  ObjectKeyed, a list of pairs; written here from the same.
Everything else is ordinary JSON and goes through the standard library's parser, which also decides first.
"""

from __future__ import annotations

import json
import re
from json import decoder
from json.encoder import encode_basestring
from typing import Any, Callable, List, Optional, Tuple

from .surrogates import without_halves

# Apache's deepest body has six levels. The limit is far above and far below what exhausts the interpreter's stack.
MAX_DEPTH = 64

_SPACE = re.compile(r"[ \t\r\n]*")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_WORDS = {"true": True, "false": False, "null": None}
_WORD = re.compile("true|false|null")
# Python refuses to convert longer ones where it has a limit, and takes quadratic time where it has none.
_MAX_NUMBER_CHARS = 400

# The standard library's reader of one text, from the character after the quote; typeshed does not list it.
_scan_text: Callable[[str, int, bool], Tuple[str, int]] = decoder.scanstring  # type: ignore[attr-defined]
_strict_decode: Callable[[str], Any] = json.JSONDecoder(strict=False).decode


class JavaJsonError(ValueError):
    """The text is JSON neither by the standard nor by fastjson's habits."""


class ObjectKeyed:
    """A map whose keys are objects, as pairs in their order."""

    __slots__ = ("pairs",)

    def __init__(self, pairs: List[Tuple[Any, Any]]) -> None:
        self.pairs = pairs

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ObjectKeyed) and self.pairs == other.pairs

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return "ObjectKeyed(%r)" % (self.pairs,)


def loads(text: str) -> Any:
    """Values of the standard library's json, and ObjectKeyed. Raises JavaJsonError."""
    text = without_halves(text)
    try:
        return _strict_decode(text)
    except ValueError:
        return _Reader(text).document()
    except RecursionError:
        raise JavaJsonError("nested too deeply") from None


def loads_bytes(data: bytes) -> Any:
    """The same for a body. Raises JavaJsonError, also for bytes that are no UTF-8."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise JavaJsonError("no UTF-8 at byte %d" % error.start) from None
    return loads(text)


class _Reader:
    """Recursive descent over one text; runs only when the standard parser has given up."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._position = 0
        self._depth = 0

    def document(self) -> Any:
        value = self._value()
        self._skip_space()
        if self._position != len(self._text):
            raise self._error("more text after the value")
        return value

    def _value(self) -> Any:
        char = self._peek()
        if char == "{":
            return self._nested(self._object)
        if char == "[":
            return self._nested(self._array)
        if char == '"':
            return self._string()
        word = _WORD.match(self._text, self._position)
        if word:
            self._position = word.end()
            return _WORDS[word.group()]
        return self._number()

    def _nested(self, read: Callable[[], Any]) -> Any:
        if self._depth == MAX_DEPTH:
            raise self._error("nested too deeply")
        self._depth += 1
        self._position += 1
        value = read()
        self._depth -= 1
        return value

    def _array(self) -> List[Any]:
        items: List[Any] = []
        if self._take("]"):
            return items
        while True:
            items.append(self._value())
            if self._take("]"):
                return items
            self._expect(",")

    def _object(self) -> Any:
        pairs: List[Tuple[Any, Any]] = []
        object_keys = False
        if self._take("}"):
            return {}
        while True:
            char = self._peek()
            object_keys = object_keys or char == "{"
            key = self._nested(self._object) if char == "{" else self._key(char)
            self._expect(":")
            pairs.append((key, self._value()))
            if self._take("}"):
                return ObjectKeyed(pairs) if object_keys else dict(pairs)
            self._expect(",")

    def _key(self, char: str) -> str:
        if char == '"':
            return self._string()
        match = _NUMBER.match(self._text, self._position)
        if match is None or match.group(1) or match.group(2):
            raise self._error("a key is neither text, whole number nor object")
        self._position = match.end()
        return match.group()

    def _string(self) -> str:
        try:
            value, self._position = _scan_text(self._text, self._position + 1, False)
        except ValueError:
            raise self._error("a text does not end or has a bad escape") from None
        return value

    def _number(self) -> Any:
        match = _NUMBER.match(self._text, self._position)
        if match is None or match.end() - match.start() > _MAX_NUMBER_CHARS:
            raise self._error("a value was expected")
        self._position = match.end()
        return float(match.group()) if match.group(1) or match.group(2) else int(match.group())

    def _skip_space(self) -> None:
        match = _SPACE.match(self._text, self._position)
        if match:
            self._position = match.end()

    def _peek(self) -> str:
        self._skip_space()
        return self._text[self._position : self._position + 1]

    def _take(self, char: str) -> bool:
        if self._peek() != char:
            return False
        self._position += 1
        return True

    def _expect(self, char: str) -> None:
        if not self._take(char):
            raise self._error("%s was expected" % char)

    def _error(self, what: str) -> JavaJsonError:
        return JavaJsonError("%s at character %d" % (what, self._position))


def dumps(value: Any, *, quote_keys: bool = False) -> str:
    """Compact text. Int keys are written bare, or quoted with `quote_keys` (what acceptStandardJsonOnly asks for).

    Raises TypeError for a value that JSON has no form for.
    """
    pieces: List[str] = []
    _Writer(pieces.append, quote_keys).value(value, None)
    return "".join(pieces)


def dumps_bytes(value: Any, *, quote_keys: bool = False) -> bytes:
    """`dumps` as a body. Lone surrogates become `?`, as in Java."""
    return dumps(value, quote_keys=quote_keys).encode("utf-8", "replace")


def dumps_pretty(value: Any) -> str:
    """The format of Apache's config files: one tab a level, no blank after a colon, an empty line in {} and []."""
    pieces: List[str] = []
    _Writer(pieces.append, False).value(value, 0)
    return "".join(pieces)


class _Writer:
    """Writes compactly where `level` is None, else indented by so many tabs."""

    def __init__(self, write: Callable[[str], Any], quote_keys: bool) -> None:
        self._write = write
        self._quote_keys = quote_keys

    def value(self, value: Any, level: Optional[int]) -> None:
        if isinstance(value, str):
            self._write(encode_basestring(value))
        elif value is None or isinstance(value, (bool, int, float)):
            self._write(_scalar(value))
        elif isinstance(value, dict):
            self._items("{", list(value.items()), "}", level)
        elif isinstance(value, ObjectKeyed):
            self._items("{", value.pairs, "}", level)
        elif isinstance(value, (list, tuple)):
            self._items("[", [(None, item) for item in value], "]", level)
        else:
            raise TypeError("no JSON form for %s" % type(value).__name__)

    def _items(self, opening: str, items: List[Tuple[Any, Any]], closing: str, level: Optional[int]) -> None:
        write = self._write
        inner = None if level is None else level + 1
        separator = "," if inner is None else ",\n" + "\t" * inner
        write(opening if inner is None else opening + "\n" + "\t" * inner)
        for index, (key, item) in enumerate(items):
            if index:
                write(separator)
            if opening == "{":
                self._key(key, inner)
                write(":")
            self.value(item, inner)
        write(closing if level is None else "\n" + "\t" * level + closing)

    def _key(self, key: Any, level: Optional[int]) -> None:
        if isinstance(key, str):
            self._write(encode_basestring(key))
        elif isinstance(key, int) and not isinstance(key, bool):
            self._write('"%d"' % key if self._quote_keys else "%d" % key)
        elif isinstance(key, dict):
            self.value(key, level)
        else:
            raise TypeError("no JSON key from %s" % type(key).__name__)


def _scalar(value: Any) -> str:
    if value is None:
        return "null"
    if value is True:
        return "true"
    if value is False:
        return "false"
    return repr(value)
