# SPDX-License-Identifier: Apache-2.0
"""One remoting command, request or answer, and its frame (Apache's RemotingCommand and RocketMQSerializable).

Frame, all integers big-endian and signed:

    bytes  field
    4      L, the length of all that follows
    1      serialize type: 0 JSON, 1 ROCKETMQ
    3      H, the length of the header
    H      header
    L-4-H  body

JSON header: code, flag, language, opaque, version, and if there: remark, extFields (strings to strings).
ROCKETMQ header: binary_header.py.
"""

from __future__ import annotations

import itertools
import json
import struct
from enum import IntEnum
from json.encoder import encode_basestring
from typing import TYPE_CHECKING, Callable, Dict, Mapping, Optional

from . import binary_header
from .errors import ProtocolError
from .surrogates import without_halves
from .version import CURRENT_VERSION

if TYPE_CHECKING:
    from .send_header import SendHeader

FLAG_RESPONSE = 1
FLAG_ONEWAY = 2

# Requests tell the truth: consumerConnection and its like show it, and every client knows PYTHON (3) since 3.x.
CLIENT_LANGUAGE = "PYTHON"
# Answers say what Apache's servers say. No client branches on it, and a Java client that meets an unknown word reads
# null, so the one word that every peer has met is the safe one. It also keeps our answers equal to Apache's.
SERVER_LANGUAGE = "JAVA"

INT_MAX = 0x7FFFFFFF
INT_MIN = -0x80000000

_PREFIX = struct.Struct(">ii")

_opaque = itertools.count(1)
_Decode = Callable[[str], object]
# Control characters inside texts are let through, as Apache's parser does (strict=False).
_json_decode: _Decode = json.JSONDecoder(strict=False).decode


class SerializeType(IntEnum):
    JSON = 0
    ROCKETMQ = 1


class RemotingCommand:
    """A request or an answer. `ext_fields` is this object's own dict; `body` is b"" where Java has null."""

    __slots__ = (
        "_ext_fields",
        "_raw_header",
        "body",
        "code",
        "flag",
        "language",
        "opaque",
        "remark",
        "send_header",
        "serialize_type",
        "version",
    )

    def __init__(
        self,
        code: int,
        *,
        language: str = CLIENT_LANGUAGE,
        version: int = CURRENT_VERSION,
        opaque: int = 0,
        flag: int = 0,
        remark: Optional[str] = None,
        ext_fields: Optional[Dict[str, str]] = None,
        body: bytes = b"",
        serialize_type: SerializeType = SerializeType.JSON,
    ) -> None:
        self.code = code
        self.language = language
        self.version = version
        self.opaque = opaque
        self.flag = flag
        self.remark = remark
        self._ext_fields: Optional[Dict[str, str]] = {} if ext_fields is None else ext_fields
        self._raw_header: bytes = b""
        self.body = body
        self.serialize_type = serialize_type
        # Set by the fast path of send_header.py, which has already read what the send processor needs.
        self.send_header: Optional[SendHeader] = None

    @classmethod
    def request(
        cls, code: int, ext_fields: Optional[Dict[str, str]] = None, body: bytes = b"", *, oneway: bool = False
    ) -> RemotingCommand:
        """A new request with the next opaque of this process."""
        return cls(
            code,
            opaque=next(_opaque) & INT_MAX,
            flag=FLAG_ONEWAY if oneway else 0,
            ext_fields=ext_fields,
            body=body,
        )

    @classmethod
    def sent(cls, raw_header: bytes, header: SendHeader) -> RemotingCommand:
        """A send request whose header the fast path has read; the general decoder runs only when asked for fields.

        The caller sets code, language, version, opaque and flag (this is the hottest constructor of the server).
        """
        command = cls.__new__(cls)
        command.remark = None
        command.body = b""
        command.serialize_type = SerializeType.JSON
        command._ext_fields = None
        command._raw_header = raw_header
        command.send_header = header
        return command

    @property
    def ext_fields(self) -> Dict[str, str]:
        fields = self._ext_fields
        if fields is None:
            fields = self._ext_fields = decode_header(SerializeType.JSON, self._raw_header).ext_fields
        return fields

    @property
    def is_response(self) -> bool:
        return bool(self.flag & FLAG_RESPONSE)

    @property
    def is_oneway(self) -> bool:
        return bool(self.flag & FLAG_ONEWAY)

    def response(
        self,
        code: int,
        remark: Optional[str] = None,
        ext_fields: Optional[Dict[str, str]] = None,
        body: bytes = b"",
    ) -> RemotingCommand:
        """The answer to this request: always in JSON, as Apache's servers answer whatever the request came in."""
        return RemotingCommand(
            code,
            language=SERVER_LANGUAGE,
            opaque=self.opaque,
            # The one-way bit stays, so that whoever is about to send the answer can see that nobody waits for it.
            flag=FLAG_RESPONSE | (self.flag & FLAG_ONEWAY),
            remark=remark,
            ext_fields=ext_fields,
            body=body,
        )

    def encode(self) -> bytes:
        """The whole frame."""
        return b"".join((self.encode_header(len(self.body)), self.body))

    def encode_header(self, body_size_bytes: int) -> bytes:
        """The frame up to the body, for a caller that sends a body of that size from somewhere else."""
        serialize_type = self.serialize_type
        if serialize_type is SerializeType.ROCKETMQ and self.code <= binary_header.CODE_MAX:
            header = binary_header.encode(
                binary_header.BinaryHeader(
                    self.code, self.language, self.version, self.opaque, self.flag, self.remark, self.ext_fields
                )
            )
        else:
            serialize_type = SerializeType.JSON
            header = encode_json_header(self)
        size = len(header)
        return _PREFIX.pack(4 + size + body_size_bytes, serialize_type << 24 | size) + header

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, RemotingCommand):
            return NotImplemented
        return self._key() == other._key()

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return "RemotingCommand(code=%d, opaque=%d, flag=%d, remark=%r, ext_fields=%r, body=%d bytes)" % (
            self.code,
            self.opaque,
            self.flag,
            self.remark,
            self.ext_fields,
            len(self.body),
        )

    def _key(self) -> object:
        return (
            self.code,
            self.language,
            self.version,
            self.opaque,
            self.flag,
            self.remark,
            self.ext_fields,
            self.body,
            self.serialize_type,
        )


def encode_json_header(command: RemotingCommand) -> bytes:
    """Compact JSON with its keys in the order in which Apache's serializer writes them (alphabetical)."""
    fields = command.ext_fields
    remark = command.remark
    text = '{"code":%d,%s"flag":%d,"language":%s,"opaque":%d,%s"serializeTypeCurrentRPC":"JSON","version":%d}' % (
        command.code,
        '"extFields":%s,' % _json_fields(fields) if fields else "",
        command.flag,
        encode_basestring(command.language),
        command.opaque,
        "" if remark is None else '"remark":%s,' % encode_basestring(remark),
        command.version,
    )
    # A lone surrogate can arrive as an escape in someone's JSON; Java writes `?` for it, and so do we.
    return text.encode("utf-8", "replace")


def _json_fields(fields: Mapping[str, str]) -> str:
    quote = encode_basestring
    return "{%s}" % ",".join(["%s:%s" % (quote(key), quote(value)) for key, value in fields.items()])


def decode_header(serialize_type: int, header: bytes) -> RemotingCommand:
    """A command without its body. Raises ProtocolError for everything that Apache closes the connection for."""
    if serialize_type == SerializeType.JSON:
        return _decode_json_header(header)
    if serialize_type == SerializeType.ROCKETMQ:
        return _decode_binary_header(header)
    raise ProtocolError("serialize type %d is neither JSON (0) nor ROCKETMQ (1)" % serialize_type)


def _decode_json_header(header: bytes) -> RemotingCommand:
    try:
        value = _json_decode(without_halves(header.decode("utf-8")))
    except (ValueError, RecursionError) as error:
        raise ProtocolError("the header is no JSON: %s" % _short(error)) from None
    if not isinstance(value, dict):
        raise ProtocolError("the JSON header is no object")
    get = value.get
    remark = get("remark")
    language = get("language")
    command = RemotingCommand(
        _int_field(get("code"), "code"),
        language=language if isinstance(language, str) else "OTHER",
        opaque=_int_field(get("opaque"), "opaque"),
        ext_fields=_text_fields(get("extFields")),
    )
    command.version = _int_field(get("version"), "version")
    command.flag = _int_field(get("flag"), "flag")
    command.remark = remark if remark is None or isinstance(remark, str) else _field_text(remark)
    return command


def _int_field(value: object, name: str) -> int:
    if value is None:
        return 0
    # `type is int` and not isinstance: true and false are ints to Python.
    if type(value) is int and INT_MIN <= value <= INT_MAX:  # pylint: disable=unidiomatic-typecheck
        return value
    raise ProtocolError("%s in the JSON header is no 32-bit number" % name)


def _text_fields(value: object) -> Dict[str, str]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise ProtocolError("extFields in the JSON header is no object")
    try:
        # One C call that fails on the first value that is no text; a check of each costs more than the whole decode.
        "".join(value.values())
    except TypeError:
        return {key: _field_text(item) for key, item in value.items() if item is not None}
    return value


def _field_text(value: object) -> str:
    """Clients in other languages send numbers and booleans now and then; Java reads them into its string map."""
    if isinstance(value, str):
        return value
    try:
        return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    except (ValueError, RecursionError):
        raise ProtocolError("a value in the JSON header is nested too deeply") from None


def _decode_binary_header(header: bytes) -> RemotingCommand:
    code, language, version, opaque, flag, remark, fields = binary_header.decode(header)
    return RemotingCommand(
        code,
        language=language,
        version=version,
        opaque=opaque,
        flag=flag,
        remark=remark,
        ext_fields=fields,
        serialize_type=SerializeType.ROCKETMQ,
    )


def _short(error: BaseException) -> str:
    """The cause without the peer's bytes: a log line must not grow with what a stranger sends."""
    if isinstance(error, RecursionError):
        return "nested too deeply"
    if isinstance(error, json.JSONDecodeError):
        return "%s at character %d" % (error.msg, error.pos)
    if isinstance(error, UnicodeDecodeError):
        return "no UTF-8 at byte %d" % error.start
    return type(error).__name__
