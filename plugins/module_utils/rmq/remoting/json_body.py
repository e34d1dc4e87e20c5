# SPDX-License-Identifier: Apache-2.0
"""Dataclasses that are JSON objects on the wire.

A body declares its fields once, each with a Kind that checks and converts it. Fields stand in alphabetical order of
their wire names, because that is the order in which Apache's serializer writes them. What a peer leaves out, or sends
as null, takes the default; what it sends beyond is ignored; what has the wrong type is refused with its path.
"""

from __future__ import annotations

import dataclasses
import re
from typing import Any, Callable, Dict, Generic, List, Tuple, Type, TypeVar, cast

from .fields import LONG_MAX, LONG_MIN
from .java_json import JavaJsonError, ObjectKeyed, dumps_bytes, loads_bytes

T = TypeVar("T")
B = TypeVar("B", bound="JsonBody")

_WHOLE_NUMBER = re.compile(r"-?[0-9]{1,19}\Z")


class BodyError(ValueError):
    """A body is no JSON, or a value in it has the wrong type. The text says where."""


class Kind(Generic[T]):
    """How one value is read (with the path to it, for errors) and written."""

    def __init__(self, read: Callable[[Any, str], T], write: Callable[[T], Any]) -> None:
        self.read = read
        self.write = write


def wire(kind: Kind[T], default: Any = dataclasses.MISSING, *, factory: Any = dataclasses.MISSING, name: str = "") -> T:
    """A field of a body. Its wire name is the attribute in camel case unless `name` is given."""
    metadata = {"kind": kind, "name": name}
    # dataclasses.field answers a Field, and the class body needs the type of the value.
    # pylint: disable-next=invalid-field-call
    return cast(T, dataclasses.field(default=default, default_factory=factory, metadata=metadata))


class JsonBody:
    """Base of all bodies."""

    def to_json_value(self) -> Dict[str, Any]:
        """Values for java_json.dumps(); a field that is None is left out, as Apache leaves out null."""
        result: Dict[str, Any] = {}
        for attribute, name, kind, _required in _specs(type(self)):
            value = getattr(self, attribute)
            if value is not None:
                result[name] = kind.write(value)
        return result

    @classmethod
    def from_json_value(cls: Type[B], value: Any, path: str = "") -> B:
        """Raises BodyError."""
        if not isinstance(value, dict):
            raise BodyError("%s is no object" % (path or "the body"))
        arguments: Dict[str, Any] = {}
        for attribute, name, kind, required in _specs(cls):
            item = value.get(name)
            if item is not None:
                arguments[attribute] = kind.read(item, "%s.%s" % (path, name) if path else name)
            elif required:
                raise BodyError("%s is missing" % ("%s.%s" % (path, name) if path else name))
        return cls(**arguments)

    def encode(self, *, quote_keys: bool = False) -> bytes:
        """The body of a command. `quote_keys` for a peer that takes standard JSON only."""
        return dumps_bytes(self.to_json_value(), quote_keys=quote_keys)

    @classmethod
    def decode(cls: Type[B], data: bytes) -> B:
        """Raises BodyError for what is no JSON or does not fit."""
        try:
            value = loads_bytes(data)
        except JavaJsonError as error:
            raise BodyError("the body is no JSON: %s" % error) from None
        return cls.from_json_value(value)


_Spec = Tuple[str, str, "Kind[Any]", bool]
_spec_cache: Dict[type, Tuple[_Spec, ...]] = {}


def _specs(cls: type) -> Tuple[_Spec, ...]:
    specs = _spec_cache.get(cls)
    if specs is None:
        fields = dataclasses.fields(cast(Any, cls))
        specs = _spec_cache[cls] = tuple(_spec(field) for field in fields)
    return specs


def _spec(field: Any) -> _Spec:
    required = field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
    return field.name, field.metadata["name"] or _camel_case(field.name), field.metadata["kind"], required


def _camel_case(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)


def _same(value: Any) -> Any:
    return value


def _read_text(value: Any, path: str) -> str:
    if not isinstance(value, str):
        raise BodyError("%s is no text" % path)
    return value


def _read_whole_number(value: Any, path: str) -> int:
    if isinstance(value, str) and _WHOLE_NUMBER.match(value):
        value = int(value)
    if type(value) is not int or not LONG_MIN <= value <= LONG_MAX:  # pylint: disable=unidiomatic-typecheck
        raise BodyError("%s is no whole number" % path)
    return value


def _read_real_number(value: Any, path: str) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise BodyError("%s is no number" % path)
    return float(value)


def _read_boolean(value: Any, path: str) -> bool:
    if not isinstance(value, bool):
        raise BodyError("%s is neither true nor false" % path)
    return value


TEXT: Kind[str] = Kind(_read_text, _same)
WHOLE_NUMBER: Kind[int] = Kind(_read_whole_number, _same)
REAL_NUMBER: Kind[float] = Kind(_read_real_number, _same)
BOOLEAN: Kind[bool] = Kind(_read_boolean, _same)
# A part that is carried along as it came.
ANY: Kind[Any] = Kind(lambda value, path: value, _same)


def optional(kind: Kind[T]) -> Kind[Any]:
    """For a field that may be None; None itself is never read or written."""
    return cast("Kind[Any]", kind)


def body(cls: Type[B]) -> Kind[B]:
    """A body within a body."""
    return Kind(cls.from_json_value, lambda value: value.to_json_value())


def array(kind: Kind[T]) -> Kind[List[T]]:
    def read(value: Any, path: str) -> List[T]:
        if not isinstance(value, list):
            raise BodyError("%s is no array" % path)
        return [kind.read(item, "%s[%d]" % (path, index)) for index, item in enumerate(value)]

    return Kind(read, lambda items: [kind.write(item) for item in items])


def mapping(kind: Kind[T]) -> Kind[Dict[str, T]]:
    """A map with text keys."""

    def read(value: Any, path: str) -> Dict[str, T]:
        return {key: kind.read(item, "%s.%s" % (path, key)) for key, item in _object(value, path).items()}

    return Kind(read, lambda items: {key: kind.write(item) for key, item in items.items()})


def number_mapping(kind: Kind[T]) -> Kind[Dict[int, T]]:
    """A map with whole numbers for keys, which Apache writes without quotes."""

    def read(value: Any, path: str) -> Dict[int, T]:
        result: Dict[int, T] = {}
        for key, item in _object(value, path).items():
            where = "%s.%s" % (path, key)
            result[_read_whole_number(key, where)] = kind.read(item, where)
        return result

    return Kind(read, lambda items: {key: kind.write(item) for key, item in items.items()})


def object_mapping(key_class: Type[B], kind: Kind[T]) -> Kind[Dict[B, T]]:
    """A map with bodies for keys (they must be frozen)."""

    def read(value: Any, path: str) -> Dict[B, T]:
        if value == {}:
            return {}
        if not isinstance(value, ObjectKeyed):
            raise BodyError("%s is no map with objects for keys" % path)
        return {key_class.from_json_value(key, path): kind.read(item, path) for key, item in value.pairs}

    def write(items: Dict[B, T]) -> Any:
        return ObjectKeyed([(key.to_json_value(), kind.write(item)) for key, item in items.items()])

    return Kind(read, write)


def _object(value: Any, path: str) -> Dict[str, Any]:
    if not isinstance(value, dict):
        raise BodyError("%s is no object" % path)
    return value
