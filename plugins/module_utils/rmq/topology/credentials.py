# SPDX-License-Identifier: Apache-2.0
"""The two settings of AUTH 2.0 that hold a secret, as JSON in one line.

initAuthenticationUser={"username":"admin","password":"..."}
innerClientAuthenticationCredentials={"accessKey":"inner","secretKey":"..."}
"""

from __future__ import annotations

import json
from typing import Mapping, Optional, Tuple

#: setting -> its two fields: name, secret
FIELDS: Mapping[str, Tuple[str, str]] = {
    "initAuthenticationUser": ("username", "password"),
    "innerClientAuthenticationCredentials": ("accessKey", "secretKey"),
}
_NULL = ("", "null")


def parse_credentials(key: str, text: str) -> Optional[Tuple[str, str]]:
    """Name and secret; None where nothing is set. Raises ValueError, whose text shows nothing of the value."""
    if text in _NULL:
        return None
    name_field, secret_field = FIELDS[key]
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise ValueError("%s takes %s" % (key, expected(key)))
    name, secret = value.get(name_field), value.get(secret_field)
    if not isinstance(name, str) or not name.strip() or not isinstance(secret, str) or not secret.strip():
        raise ValueError("%s takes %s" % (key, expected(key)))
    return name, secret


def expected(key: str) -> str:
    return '{"%s":"...","%s":"..."} in one line, neither of them empty' % FIELDS[key]
