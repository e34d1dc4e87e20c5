# SPDX-License-Identifier: Apache-2.0
"""Who mqadmin is: ROCKETMQ_HOME/conf/tools.yml, as Apache's reads it (AclUtils.getAclRPCHook).

accessKey: admin
secretKey: "..."
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from ...remoting.signature import SessionCredentials

_LINE = re.compile(r"(accessKey|secretKey|securityToken)\s*:\s*(.*?)\s*\Z")


def tools_credentials() -> SessionCredentials | None:
    """None without the file, or where it names no user. Raises ValueError, whose text shows nothing of it."""
    home = os.environ.get("ROCKETMQ_HOME")
    if not home:
        return None
    path = Path(home) / "conf" / "tools.yml"
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} cannot be read: {type(error).__name__}") from None
    values = {}
    for line in text.splitlines():
        found = _LINE.match(line)
        if found is not None:
            values[found.group(1)] = _unquoted(found.group(2))
    if not values.get("accessKey") or not values.get("secretKey"):
        return None
    return SessionCredentials(values["accessKey"], values["secretKey"], values.get("securityToken") or None)


def _unquoted(text: str) -> str:
    if len(text) >= 2 and text[0] == text[-1] and text[0] in "'\"":
        return text[1:-1]
    return text.partition(" #")[0].rstrip()
