# SPDX-License-Identifier: Apache-2.0
"""`make programs`: the programs of rocketmq-client 5.4.0 on the cluster of `make up` and on one of Apache's.

Prints the transcripts once where they are equal, and a diff where they are not. Exit 0: all are equal, apart from the
differences that differences.md gives reasons for; 1 where one is not.
"""

from __future__ import annotations

import difflib
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from ..harness import programs
from ..harness.cluster import Cluster
from ..harness.engine import ENGINES, ROOT
from .cases import DIFFERENCES, JAVA_5, PENDING, runnable

MODE = "2m-2s-sync"


def main() -> int:
    names = [case.name for case in runnable(JAVA_5) if case.name not in PENDING]
    # A second call on the same cluster meets its own topics.
    prefix = programs.prefix_of(JAVA_5, f"x{os.getpid()}")
    with tempfile.TemporaryDirectory(prefix="programs-") as directory:
        ours = _run(names, _name_servers(), prefix, Path(directory) / "python", "the cluster of `make up`")
        with Cluster(ENGINES["apache"], Path(directory) / "cluster", MODE) as cluster:
            _say(f"starting Apache's, {MODE}")
            cluster.start()
            theirs = _run(names, cluster.namesrv_addr, prefix, Path(directory) / "apache", "Apache's cluster")
    different = [name for name in names if not _show(name, ours[name], theirs[name])]
    _say(f"{len(names)} programs, {len(different)} differ without a reason" + "".join(f" {name}" for name in different))
    return 1 if different else 0


def _name_servers() -> str:
    """Those of the cluster of `make up`. Ends with what to do when there is none."""
    record = subprocess.run(
        [sys.executable, ROOT / "tools" / "deployment.py"], stdout=subprocess.PIPE, text=True, check=True
    ).stdout
    return next(line.removeprefix("namesrv ") for line in record.splitlines() if line.startswith("namesrv "))


def _run(names: list[str], namesrv_addr: str, prefix: str, directory: Path, where: str) -> dict[str, str]:
    _say(f"{JAVA_5}: {len(names)} programs on {where}, {namesrv_addr}")
    programs.prepare(names, namesrv_addr, prefix)
    return programs.run(JAVA_5, names, namesrv_addr, prefix, directory)


def _show(name: str, ours: str, theirs: str) -> bool:
    """Prints one case; whether it is as it should be."""
    reason = DIFFERENCES.get((name, JAVA_5, "apache"))
    if ours == theirs:
        print(f"== {name}\n{ours}", end="")  # noqa: T201
        return True
    print(f"== {name} differs: {reason or 'NO REASON IS KNOWN'}")  # noqa: T201
    lines = difflib.unified_diff(theirs.splitlines(), ours.splitlines(), "Apache's", "make up", lineterm="")
    print("\n".join(lines))  # noqa: T201
    return reason is not None


def _say(text: str) -> None:
    print(f"==> {text}", flush=True)  # noqa: T201


if __name__ == "__main__":
    sys.exit(main())
