# Copyright: Contributors to the RocketMQ cluster collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Directories, files and links as one list, compared with a host and applied in one go.

Check mode takes the same decisions as a real run and stops before each act.  Each change is a :class:`Change` with the
two sides of its diff.
"""

from __future__ import annotations

import hashlib
import os
import stat
import tempfile
from dataclasses import dataclass
from typing import Any, Dict, List, Optional, Protocol, Sequence

# A diff of a longer file is a nuisance, and no file that we render comes near it.
MAX_DIFF_BYTES = 100_000


class Attributes(Protocol):
    """What :class:`AnsibleModule` offers and we use: owners, modes and SELinux contexts are its trade."""

    check_mode: bool

    def set_fs_attributes_if_different(
        self, file_args: Dict[str, Any], changed: bool, diff: Optional[Dict[str, Any]] = None, expand: bool = True
    ) -> bool: ...

    def selinux_default_context(self, path: str, mode: int = 0) -> List[Optional[str]]: ...


@dataclass(frozen=True)
class Directory:
    path: str
    mode: str
    owner: Optional[str] = None
    group: Optional[str] = None


@dataclass(frozen=True)
class File:
    """``content`` for text that came with the task; ``src`` for a file that was copied to the host; neither when the
    controller hopes that the host has it already, by ``sha256``."""

    path: str
    mode: str
    sha256: str
    content: Optional[str] = None
    src: Optional[str] = None
    owner: Optional[str] = None
    group: Optional[str] = None
    sensitive: bool = False
    # Settings whose lines keep their values to themselves in a diff.
    hidden_keys: Sequence[str] = ()


@dataclass(frozen=True)
class Link:
    path: str
    target: str


@dataclass(frozen=True)
class Manifest:
    directories: List[Directory]
    files: List[File]
    links: List[Link]


@dataclass(frozen=True)
class Change:
    path: str
    before: str
    after: str

    def diff(self) -> Dict[str, str]:
        """As Ansible's callbacks print it under ``--diff``."""
        return {"before_header": self.path, "after_header": self.path, "before": self.before, "after": self.after}


class ManifestError(Exception):
    """The host has something at ``path`` that the manifest cannot replace."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"{path}: {reason}")


def missing(manifest: Manifest) -> List[str]:
    """The files whose content is not in the manifest and not on the host: they have to be copied first."""
    return [f.path for f in manifest.files if f.content is None and f.src is None and digest_of(f.path) != f.sha256]


def apply(manifest: Manifest, module: Attributes) -> List[Change]:
    """Bring the host to the manifest and return what changed (in check mode: what would)."""
    changes: List[Change] = []
    for directory in manifest.directories:
        changes += _apply_directory(directory, module)
    for file in manifest.files:
        changes += _apply_file(file, module)
    for link in manifest.links:
        changes += _apply_link(link, module)
    return changes


def digest_of(path: str) -> Optional[str]:
    """SHA-256 of a regular file in hex; None where there is none."""
    try:
        with open(path, "rb") as source:
            digest = hashlib.sha256()
            for block in iter(lambda: source.read(1 << 20), b""):
                digest.update(block)
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return None
    return digest.hexdigest()


def _apply_directory(directory: Directory, module: Attributes) -> List[Change]:
    changes: List[Change] = []
    if not os.path.isdir(directory.path):
        if os.path.lexists(directory.path):
            raise ManifestError(directory.path, "is in the way, a directory has to be there")
        if not module.check_mode:
            os.makedirs(directory.path)
        changes.append(Change(directory.path, "", f"directory, mode {directory.mode}\n"))
    # What was just made reports its making, not its owner and mode on top.
    attributes = _attributes(directory.path, directory, module)
    return changes or attributes


def _apply_file(file: File, module: Attributes) -> List[Change]:
    if os.path.isdir(file.path):
        raise ManifestError(file.path, "is a directory, a file has to be there")
    changes: List[Change] = []
    if digest_of(file.path) != file.sha256 or os.path.islink(file.path):
        changes.append(_content_change(file))
        if not module.check_mode:
            _replace(file)
    attributes = _attributes(file.path, file, module)
    return changes or attributes


def _content_change(file: File) -> Change:
    if file.sensitive:
        return Change(file.path, "(hidden)\n", "(hidden, changed)\n")
    if file.content is None:
        return Change(file.path, _digest_line(digest_of(file.path)), _digest_line(file.sha256))
    before, after = _text_of(file.path), file.content
    if file.hidden_keys:
        shown = _without_values(before, file.hidden_keys), _without_values(after, file.hidden_keys)
        # Only a hidden value changed: say that much.
        before, after = shown if shown[0] != shown[1] else (shown[0], shown[1] + "(hidden, changed)\n")
    return Change(file.path, before, after)


def _without_values(text: str, keys: Sequence[str]) -> str:
    """The lines of a properties file with the values of these keys left out, also where they go on in a next line."""
    lines: List[str] = []
    in_hidden = False
    for line in text.splitlines(True):
        key = next((key for key in keys if line.lstrip().startswith(key)), None)
        if in_hidden or key is not None:
            lines.append("" if in_hidden else f"{key}=(hidden)\n")
            in_hidden = line.rstrip("\r\n").endswith("\\")
        else:
            lines.append(line)
    return "".join(lines)


def _digest_line(digest: Optional[str]) -> str:
    return f"sha256 {digest}\n" if digest else ""


def _text_of(path: str) -> str:
    try:
        with open(path, "rb") as source:
            data = source.read(MAX_DIFF_BYTES + 1)
    except FileNotFoundError:
        return ""
    if len(data) > MAX_DIFF_BYTES:
        return f"(more than {MAX_DIFF_BYTES} bytes)\n"
    return data.decode("utf-8", "replace")


def _replace(file: File) -> None:
    handle, temporary = tempfile.mkstemp(dir=os.path.dirname(file.path), prefix=".rocketmq-")
    try:
        with os.fdopen(handle, "wb") as output:
            for block in _blocks(file):
                output.write(block)
            output.flush()
            # A file cut short by a power failure would keep the node from starting.
            os.fsync(output.fileno())
        os.chmod(temporary, int(file.mode, 8))
        if digest_of(temporary) != file.sha256:
            raise ManifestError(file.path, f"what arrived is not what was sent (expected sha256 {file.sha256})")
        os.replace(temporary, file.path)
    finally:
        if os.path.lexists(temporary):
            os.unlink(temporary)


def _blocks(file: File) -> List[bytes]:
    if file.content is not None:
        return [file.content.encode()]
    if file.src is None:
        raise ManifestError(file.path, "has neither content nor a copied file")
    with open(file.src, "rb") as source:
        return [source.read()]


def _attributes(path: str, wanted: Any, module: Attributes) -> List[Change]:
    file_args = {
        "path": path,
        "mode": wanted.mode,
        "owner": wanted.owner,
        "group": wanted.group,
        "secontext": module.selinux_default_context(path),
        "attributes": None,
    }
    diff: Dict[str, Any] = {}
    if not module.set_fs_attributes_if_different(file_args, False, diff):
        return []
    return [Change(path, _attribute_text(diff.get("before")), _attribute_text(diff.get("after")))]


def _attribute_text(side: Optional[Dict[str, Any]]) -> str:
    return "".join(f"{name} {value}\n" for name, value in sorted((side or {}).items()) if name != "path")


def _apply_link(link: Link, module: Attributes) -> List[Change]:
    before = _link_target(link.path)
    if before == link.target:
        return []
    if not module.check_mode:
        temporary = f"{link.path}.new-{os.getpid()}"
        os.symlink(link.target, temporary)
        os.replace(temporary, link.path)
    return [Change(link.path, f"link to {before}\n" if before else "", f"link to {link.target}\n")]


def _link_target(path: str) -> Optional[str]:
    try:
        kind = os.lstat(path).st_mode
    except FileNotFoundError:
        return None
    if not stat.S_ISLNK(kind):
        raise ManifestError(path, "is in the way, a link has to be there")
    return os.readlink(path)
