# Copyright: Contributors to the RocketMQ cluster collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Python engine as one archive, ``rmq-<digest>.pyz``, built on the controller.

The package ``rmq`` has two roots (``plugins/module_utils/rmq`` and ``src/rmq``); the archive joins them and adds what a
zip needs and a source tree does not: ``rmq/__init__.py``, because Python cannot import a namespace package out of a
zip, and ``__main__.py``.

The same sources give the same bytes on every controller: entries are sorted, carry one fixed time and mode, and are
stored, not compressed (zlib's output differs between its versions). So the digest of the bytes names the engine.
"""

from __future__ import annotations

import hashlib
import io
import os
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

_EARLIEST_ZIP_TIME = (1980, 1, 1, 0, 0, 0)
_FILE_MODE = 0o100644 << 16
_ADDED = {
    "__main__.py": (
        b"# SPDX-License-Identifier: Apache-2.0\nimport sys\n\nfrom rmq.cli.main import main\n\nsys.exit(main())\n"
    ),
    "rmq/__init__.py": b"# SPDX-License-Identifier: Apache-2.0\n",
}


@dataclass(frozen=True)
class EngineArchive:
    """``path`` on the controller; ``sha256`` of its bytes, in hex."""

    path: Path
    sha256: str

    @property
    def file_name(self) -> str:
        """The name on a node: content-addressed, so a new engine never overwrites the one that runs."""
        return f"rmq-{self.sha256[:16]}.pyz"


class EngineArchiveError(Exception):
    """The sources of the engine are not where the collection keeps them."""


def collection_root() -> Path:
    """The folder that holds galaxy.yml in a clone and MANIFEST.json in an installed collection."""
    return Path(__file__).resolve().parents[2]


def build(root: Path, cache: Path) -> EngineArchive:
    """Build the archive from the collection at ``root`` into ``cache``, or take the one that is there.

    Raises :class:`EngineArchiveError` when a root of the package is missing.
    """
    data = archive_bytes(sources(root))
    sha256 = hashlib.sha256(data).hexdigest()
    archive = EngineArchive(cache / f"rmq-{sha256[:16]}.pyz", sha256)
    if not archive.path.is_file() or archive.path.stat().st_size != len(data):
        _write_whole(archive.path, data)
    return archive


def sources(root: Path) -> dict[str, bytes]:
    """Each entry's name in the archive with its bytes."""
    entries = dict(_ADDED)
    for package in (root / "plugins" / "module_utils" / "rmq", root / "src" / "rmq"):
        if not package.is_dir():
            raise EngineArchiveError(f"the engine's sources are missing: {package}")
        for path in sorted(package.rglob("*.py")):
            entries[f"rmq/{path.relative_to(package).as_posix()}"] = path.read_bytes()
    return entries


def archive_bytes(entries: dict[str, bytes]) -> bytes:
    """A zip of ``entries`` that depends on nothing but them."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(entries):
            info = zipfile.ZipInfo(name, _EARLIEST_ZIP_TIME)
            info.external_attr = _FILE_MODE
            info.create_system = 3
            archive.writestr(info, entries[name])
    return buffer.getvalue()


def _write_whole(path: Path, data: bytes) -> None:
    """Several forks may build at once: each writes its own file, the last rename wins, all hold the same bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".rmq-")
    with os.fdopen(handle, "wb") as output:
        output.write(data)
    Path(temporary).chmod(0o644)
    Path(temporary).replace(path)
