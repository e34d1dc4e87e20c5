# SPDX-License-Identifier: Apache-2.0
"""What differs on purpose. Each entry is explained, under its name, in the section mqadmin of differences.md."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

_TEXT = Path(__file__).resolve().parents[1] / "differences.md"
_NOTHING = r"(?!)"


@dataclass(frozen=True)
class Difference:
    """Patterns of the lines that our answer alone, or Apache's alone, may have. One such line has to be seen."""

    ours: str = _NOTHING
    apaches: str = _NOTHING


@dataclass
class Comparison:
    """The lines that one answer alone has, counting repeated ones."""

    missing: list[str]
    more: list[str]

    @classmethod
    def of(cls, ours: list[str], apaches: list[str]) -> Comparison:
        ours_counted, apaches_counted = Counter(ours), Counter(apaches)
        return cls(
            sorted((apaches_counted - ours_counted).elements()), sorted((ours_counted - apaches_counted).elements())
        )

    def explain(self, name: str) -> bool:
        """Takes out the lines that this entry explains; False where there is none."""
        entry = DIFFERENCES[name]
        before = len(self.missing) + len(self.more)
        self.missing = [line for line in self.missing if not re.match(entry.apaches, line)]
        self.more = [line for line in self.more if not re.match(entry.ours, line)]
        return len(self.missing) + len(self.more) < before


_FAILED = r".*SubCommandException: \w+ command failed"
_AUTH_KEYS = "auth(enticat|orizat)ion(Enabled|Whitelist)|initAuthenticationUser|innerClientAuthenticationCredentials"
_OWN_KEYS = f"bindAddresses|haMasterAddress|haPeers|{_AUTH_KEYS}"

DIFFERENCES = {
    "runtime-info": Difference(
        ours=r"(<[\w-]+> )?(damaged(Ranges|Records|At)|mendedRanges|tailsSetAside|forcedCleanFiles) :"
    ),
    "keys-honoured": Difference(ours=rf"({_OWN_KEYS}) =", apaches=r'\w+ =|"(useTLS|cpuNum)":'),
    "namesrv-keys": Difference(ours="(bindAddresses|registrationNetworks|configStorePath) =", apaches=r"\w+ ="),
    "unknown-key-refused": Difference(
        ours=_FAILED + r"|.*CODE: 29 DESC: .*noSuchKey=1: RocketMQ 5.4.0 knows no such key",
        apaches=r"update (broker|name server) config success|noSuchKey : 1",
    ),
    "bad-value-refused": Difference(
        ours=_FAILED + "|.*CODE: 29 DESC: .*fileReservedTime takes a whole number",
        apaches="update broker config success",
    ),
    "list-with-an-unchanged-topic": Difference(
        ours=_FAILED + "|.*CODE: 29 DESC: The specified topic", apaches="submit batch of topic config"
    ),
    "java-in-remarks": Difference(
        ours=".*CODE: 1 DESC: (unsupported key|value is not in range)",
        apaches=r".*CODE: 1 DESC: java\.lang\.RuntimeException: (unsupported key|value is not in range)",
    ),
    "no-compaction": Difference(
        ours=_FAILED + r"|.*CODE: 1 DESC: \w+ is not supported", apaches=r"create topic to|TopicConfig \["
    ),
    "no-passwords": Difference(ours=r"\w+ (null )?(Normal|Super) ", apaches=r"\w+ secret\d+ (Normal|Super) "),
    "no-copied-users": Difference(ours=_FAILED + "|.*CODE: ", apaches="copy user of"),
}


def explained_entries() -> set[str]:
    """The names of the entries of the section."""
    section = re.search(r"^## mqadmin$(.*?)(?=^## |\Z)", _TEXT.read_text(), re.M | re.S)
    return set(re.findall(r"^### (\S+)$", section[1], re.M)) if section else set()
