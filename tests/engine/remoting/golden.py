# SPDX-License-Identifier: Apache-2.0
"""Frames and files that Apache RocketMQ 5.4.0 wrote (tests/engine/data/golden-5.4.0.json says how they were taken)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_DATA = Path(__file__).parent.parent / "data" / "golden-5.4.0.json"
_GOLDEN: dict[str, Any] = json.loads(_DATA.read_text(encoding="utf-8"))


@dataclass(frozen=True)
class Exchange:
    name: str
    request: bytes
    response: bytes
    response_header: dict[str, Any]

    @property
    def response_body(self) -> bytes:
        header_size = int.from_bytes(self.response[5:8], "big")
        return self.response[8 + header_size :]


EXCHANGES = {
    entry["name"]: Exchange(
        entry["name"],
        bytes.fromhex(entry["request_hex"]),
        bytes.fromhex(entry["response_hex"]),
        entry["response_header"],
    )
    for entry in _GOLDEN["exchanges"]
    if "request_hex" in entry
}

#: Name -> size and what is used of it, or the text.
FILES: dict[str, Any] = _GOLDEN["files"]

COMMIT_LOG_FILES = {
    name: bytes.fromhex(entry["used_hex"]) for name, entry in _GOLDEN["files"].items() if name.startswith("commitlog/")
}

CONFIG_TEXTS: dict[str, str] = {
    name: entry["text"] for name, entry in _GOLDEN["files"].items() if name.startswith("config/") and "text" in entry
}
