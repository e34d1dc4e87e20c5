# SPDX-License-Identifier: Apache-2.0
"""Takes the few collections that Molecule's Docker driver needs out of the `ansible` package, which carries them.

The package unpacks to hundreds of megabytes and hardly any of it is needed; its wheel is a zip, so the few are read
straight out of it. Prints the directory to put on Ansible's collections path.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

PACKAGE = "ansible==12.3.0"
COLLECTIONS = ("community/docker", "community/library_inventory_filtering_v1", "ansible/posix")


def main() -> None:
    cache = Path(sys.argv[1])
    key = hashlib.sha256(repr((PACKAGE, COLLECTIONS)).encode()).hexdigest()[:16]
    directory = cache / f"collections-{key}"
    if not directory.is_dir():
        with tempfile.TemporaryDirectory(dir=cache) as work:
            _unpack(_download(Path(work)), Path(work) / "out")
            # Another clone may have been quicker; both made the same.
            shutil.rmtree(directory, ignore_errors=True)
            (Path(work) / "out").rename(directory)
    sys.stdout.write(f"{directory}\n")


def _download(directory: Path) -> Path:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    subprocess.run([*command, "--dest", os.fspath(directory), PACKAGE], check=True, stdin=subprocess.DEVNULL)
    return next(directory.glob("*.whl"))


def _unpack(wheel: Path, directory: Path) -> None:
    prefixes = tuple(f"ansible_collections/{collection}/" for collection in COLLECTIONS)
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(directory, [name for name in archive.namelist() if name.startswith(prefixes)])


if __name__ == "__main__":
    main()
