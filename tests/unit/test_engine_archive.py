# Copyright: Contributors to the RocketMQ cluster collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from ansible_collections.rocketmq.cluster.plugins.plugin_utils import engine_archive

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A collection with one module in each root."""
    shared, server = tmp_path / "plugins/module_utils/rmq/shared", tmp_path / "src/rmq/cli"
    for package in (shared, server):
        package.mkdir(parents=True)
        (package / "__init__.py").write_text("")
    (shared / "greeting.py").write_text("TEXT = 'hello'\n")
    (server / "main.py").write_text(
        "import sys\nfrom ..shared.greeting import TEXT\n\n\n"
        "def main():\n    print(TEXT, *sys.argv[1:])\n    return 7\n"
    )
    return tmp_path


def test_archive_runs_both_roots_as_one_package(tree: Path) -> None:
    archive = engine_archive.build(tree, tree / "cache")
    done = subprocess.run(
        [sys.executable, "-I", str(archive.path), "world"], capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.returncode) == ("hello world\n", 7), done.stderr


def test_same_sources_give_the_same_bytes_whenever_they_were_written(tree: Path) -> None:
    first = engine_archive.build(tree, tree / "cache")
    source = tree / "src/rmq/cli/main.py"
    os.utime(source, (1, 1))
    source.chmod(0o600)
    (tree / "src/rmq/cli/__pycache__").mkdir()
    (tree / "src/rmq/cli/__pycache__/main.cpython-311.pyc").write_bytes(b"stale")
    second = engine_archive.build(tree, tree / "other cache")
    assert second.sha256 == first.sha256
    assert second.path.read_bytes() == first.path.read_bytes()


def test_changed_source_gives_another_name_so_that_a_running_engine_keeps_its_file(tree: Path) -> None:
    first = engine_archive.build(tree, tree / "cache")
    (tree / "plugins/module_utils/rmq/shared/greeting.py").write_text("TEXT = 'good evening'\n")
    second = engine_archive.build(tree, tree / "cache")
    assert second.file_name != first.file_name
    assert first.path.is_file()


def test_cut_file_in_the_cache_is_written_anew(tree: Path) -> None:
    archive = engine_archive.build(tree, tree / "cache")
    whole = archive.path.read_bytes()
    archive.path.write_bytes(whole[:100])
    assert engine_archive.build(tree, tree / "cache").path.read_bytes() == whole


def test_missing_root_is_named(tree: Path) -> None:
    (tree / "src/rmq").rename(tree / "src/elsewhere")
    with pytest.raises(engine_archive.EngineArchiveError, match="src/rmq"):
        engine_archive.build(tree, tree / "cache")


def test_real_tree_is_found_and_built(tmp_path: Path) -> None:
    archive = engine_archive.build(engine_archive.collection_root(), tmp_path)
    assert archive.path.stat().st_size > 10_000
