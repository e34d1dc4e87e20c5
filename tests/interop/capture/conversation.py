# SPDX-License-Identifier: Apache-2.0
"""Puts asks to a server by raw socket and keeps the frames. Written apart from the engine's codec, which is tested with
what is captured here."""

from __future__ import annotations

import json
import socket
import struct
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .asks import Ask

_TIMEOUT_S = 20.0


@dataclass(frozen=True)
class Frame:
    data: bytes

    @property
    def _header_size(self) -> int:
        return int.from_bytes(self.data[5:8], "big")

    @property
    def header(self) -> dict[str, Any]:
        value: dict[str, Any] = json.loads(self.data[8 : 8 + self._header_size])
        return value

    @property
    def body(self) -> bytes:
        return self.data[8 + self._header_size :]


def resolve(ask: Ask, answers: dict[str, dict[str, str]], now_ms: int) -> Ask:
    """The ask with what it takes from earlier answers (their extFields, by the name of the ask)."""
    return replace(ask, fields={key: _value(value, answers, now_ms) for key, value in ask.fields.items()})


def _value(text: str, answers: dict[str, dict[str, str]], now_ms: int) -> str:
    if not (text.startswith("<") and text.endswith(">")):
        return text
    if text == "<now>":
        return str(now_ms)
    name, _, field = text[1:-1].partition(".")
    # A feature that is off gives no handle: the ask is put all the same, and refused.
    value = answers[name].get(field.rstrip("@"), "")
    return str(int(value[16:32], 16)) if field.endswith("@") else value


def encode(ask: Ask, opaque: int) -> bytes:
    header = _binary_header(ask, opaque) if ask.is_binary else _json_header(ask, opaque)
    size = 4 + len(header) + len(ask.body)
    return struct.pack(">ii", size, int(ask.is_binary) << 24 | len(header)) + header + ask.body


def _json_header(ask: Ask, opaque: int) -> bytes:
    header: dict[str, Any] = {"code": ask.code}
    if ask.fields:
        header["extFields"] = ask.fields
    header |= {"flag": 0, "language": "PYTHON", "opaque": opaque, "serializeTypeCurrentRPC": "JSON"}
    return json.dumps(header | {"version": ask.version}, separators=(",", ":")).encode()


def _binary_header(ask: Ask, opaque: int) -> bytes:
    fields = b""
    for key, value in ask.fields.items():
        raw_key, raw_value = key.encode(), value.encode()
        fields += struct.pack(">h", len(raw_key)) + raw_key + struct.pack(">i", len(raw_value)) + raw_value
    python = 3
    return struct.pack(">hbhiiii", ask.code, python, ask.version, opaque, 0, 0, len(fields)) + fields


class Conversation:
    """One connection to one server. What the server asks of us meanwhile is kept apart."""

    def __init__(self, address: str) -> None:
        host, _, port = address.rpartition(":")
        self._socket = socket.create_connection((host, int(port)), timeout=_TIMEOUT_S)
        self.pushed: list[Frame] = []

    def close(self) -> None:
        self._socket.close()

    def put(self, request: bytes, opaque: int) -> Frame:
        """The answer. Raises OSError when none comes."""
        self._socket.sendall(request)
        deadline = time.monotonic() + _TIMEOUT_S
        while time.monotonic() < deadline:
            frame = self._frame()
            header = frame.header
            if not header["flag"] & 1:
                self.pushed.append(frame)
            elif header["opaque"] == opaque:
                return frame
        raise TimeoutError(f"no answer to {opaque}")

    def _frame(self) -> Frame:
        length = self._read(4)
        return Frame(length + self._read(int.from_bytes(length, "big")))

    def _read(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            piece = self._socket.recv(count - len(data))
            if not piece:
                raise ConnectionError("the server closed the connection")
            data += piece
        return data
