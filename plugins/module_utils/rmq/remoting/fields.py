# SPDX-License-Identifier: Apache-2.0
"""Typed reading of extFields, with the words of Java where a field is missing or is no number.

Apache declares a class for each request header; here a processor asks for the few fields that it uses.
"""

from __future__ import annotations

import re
from typing import Dict, Optional

from .command import INT_MAX, INT_MIN

LONG_MAX = 0x7FFFFFFFFFFFFFFF
LONG_MIN = -0x8000000000000000

# Nineteen digits hold every long; more is refused before int() has to read it.
_NUMBER = re.compile(r"[+-]?[0-9]{1,19}\Z")


class FieldError(ValueError):
    """A request header lacks a field or holds a value of the wrong type. The text is fit for a remark."""


def text_field(fields: Dict[str, str], name: str) -> str:
    """A field that must be there. Raises FieldError."""
    value = fields.get(name)
    if value is None:
        raise FieldError("the custom field <%s> is null" % name)
    return value


def parse_int(text: str, name: str = "value") -> int:
    """Java's Integer.parseInt. Raises FieldError."""
    return _parse(text, name, INT_MIN, INT_MAX)


def parse_long(text: str, name: str = "value") -> int:
    """Java's Long.parseLong. Raises FieldError."""
    return _parse(text, name, LONG_MIN, LONG_MAX)


def int_field(fields: Dict[str, str], name: str, default: Optional[int] = None) -> int:
    """Raises FieldError when it is no 32-bit number, or is missing and there is no default."""
    value = fields.get(name)
    if value is None:
        return _missing(name, default)
    return _parse(value, name, INT_MIN, INT_MAX)


def long_field(fields: Dict[str, str], name: str, default: Optional[int] = None) -> int:
    """Raises FieldError when it is no 64-bit number, or is missing and there is no default."""
    value = fields.get(name)
    if value is None:
        return _missing(name, default)
    return _parse(value, name, LONG_MIN, LONG_MAX)


def bool_field(fields: Dict[str, str], name: str, default: bool = False) -> bool:
    """Java's Boolean.parseBoolean: everything but "true" in any case is false."""
    value = fields.get(name)
    return default if value is None else value.lower() == "true"


def _missing(name: str, default: Optional[int]) -> int:
    if default is None:
        raise FieldError("the custom field <%s> is null" % name)
    return default


def _parse(text: str, name: str, least: int, greatest: int) -> int:
    if _NUMBER.match(text) is None:
        raise FieldError('%s is no number: "%s"' % (name, text[:64]))
    value = int(text)
    if not least <= value <= greatest:
        raise FieldError('%s is out of range: "%s"' % (name, text))
    return value
