# SPDX-License-Identifier: Apache-2.0
"""What tests/interop/capture recorded of a live Apache 5.4.0 (tests/engine/data/captured-5.4.0.json)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_DATA: dict[str, Any] = json.loads((Path(__file__).parents[1] / "data" / "captured-5.4.0.json").read_text("utf-8"))


@dataclass(frozen=True)
class Captured:
    name: str
    to: str
    request: bytes
    response: bytes
    response_header: dict[str, Any]

    @property
    def response_body(self) -> bytes:
        return self.response[8 + int.from_bytes(self.response[5:8], "big") :]


CAPTURED: dict[str, Captured] = {
    each["name"]: Captured(
        each["name"],
        each["to"],
        bytes.fromhex(each["request_hex"]),
        bytes.fromhex(each["response_hex"]),
        each["response_header"],
    )
    for each in _DATA["exchanges"]
}
PUSHED: list[bytes] = [bytes.fromhex(each["hex"]) for each in _DATA["pushed"]]
HA: dict[str, bytes] = {key.removesuffix("_hex"): bytes.fromhex(value) for key, value in _DATA["ha"].items()}
FILES: dict[str, bytes] = {
    name: each["text"].encode() if "text" in each else bytes.fromhex(each["used_hex"])
    for name, each in _DATA["files"].items()
}
