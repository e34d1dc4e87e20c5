# Copyright: Contributors to the RocketMQ cluster collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.rocketmq.cluster.plugins.modules import manifest

from .run_module import ModuleFailed, run_module


def text_file(path: Path, content: str, **more: Any) -> dict[str, Any]:
    return {
        "path": str(path),
        "mode": "0640",
        "content": content,
        "sha256": hashlib.sha256(content.encode()).hexdigest(),
        **more,
    }


def wanted(folder: Path) -> dict[str, Any]:
    """A folder, a file and a link, as a node's manifest has them."""
    return {
        "directories": [{"path": str(folder), "mode": "0750"}],
        "files": [text_file(folder / "broker.conf", "brokerId=0\n")],
        "links": [{"path": str(folder / "current"), "target": "broker.conf"}],
    }


def test_everything_is_made_in_one_run_and_the_second_run_changes_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "node"
    first = run_module(manifest, wanted(folder))
    assert first["changed"] is True
    assert first["changes"] == [str(folder), str(folder / "broker.conf"), str(folder / "current")]
    assert (folder / "current").read_text() == "brokerId=0\n"
    assert (folder / "broker.conf").stat().st_mode & 0o777 == 0o640
    before = (folder / "broker.conf").stat()
    second = run_module(manifest, wanted(folder))
    assert second["changed"] is False
    assert (folder / "broker.conf").stat().st_ino == before.st_ino


def test_check_mode_says_the_same_and_touches_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "node"
    foreseen = run_module(manifest, wanted(folder), check=True)
    assert not folder.exists()
    assert foreseen["changes"] == run_module(manifest, wanted(folder))["changes"]


def test_check_mode_bears_an_owner_that_a_real_run_would_make_first(tmp_path: Path) -> None:
    folder = {"path": str(tmp_path / "node"), "mode": "0750", "owner": "nobody-knows-me", "group": "nor-me"}
    assert run_module(manifest, {"directories": [folder]}, check=True)["changed"] is True


def test_diff_shows_each_file_with_both_sides(tmp_path: Path) -> None:
    path = tmp_path / "broker.conf"
    path.write_text("brokerId=1\n")
    path.chmod(0o640)
    diff = run_module(manifest, {"files": [text_file(path, "brokerId=0\n")]})["diff"]
    assert [(d["after_header"], d["before"], d["after"]) for d in diff] == [(str(path), "brokerId=1\n", "brokerId=0\n")]


def test_sensitive_content_stays_out_of_the_diff(tmp_path: Path) -> None:
    file = text_file(tmp_path / "tools.yml", "secretKey: 12345678\n", sensitive=True)
    assert "12345678" not in str(run_module(manifest, {"files": [file]})["diff"])


def test_mode_alone_is_mended_without_rewriting_the_file(tmp_path: Path) -> None:
    path = tmp_path / "broker.conf"
    path.write_text("x\n")
    path.chmod(0o666)
    inode = path.stat().st_ino
    done = run_module(manifest, {"files": [text_file(path, "x\n")]})
    assert done["changes"] == [str(path)]
    assert path.stat().st_mode & 0o777 == 0o640
    assert path.stat().st_ino == inode


def test_file_that_has_to_be_copied_first_is_asked_for_before_anything_changes(tmp_path: Path) -> None:
    digest = hashlib.sha256(b"engine").hexdigest()
    archive = {"path": str(tmp_path / "lib/rmq.pyz"), "mode": "0644", "sha256": digest}
    lib = {"path": str(tmp_path / "lib"), "mode": "0755"}
    asked = run_module(manifest, {"directories": [lib], "files": [archive]})
    assert (asked["missing"], asked["changed"]) == ([archive["path"]], False)
    assert not (tmp_path / "lib").exists()
    copied = tmp_path / "copied"
    copied.write_bytes(b"engine")
    done = run_module(manifest, {"directories": [lib], "files": [dict(archive, src=str(copied))]})
    assert done["changed"] is True
    assert run_module(manifest, {"directories": [lib], "files": [archive]})["changed"] is False


def test_copy_that_arrived_damaged_is_refused_and_the_old_file_stays(tmp_path: Path) -> None:
    path, copied = tmp_path / "rmq.pyz", tmp_path / "copied"
    path.write_bytes(b"old")
    copied.write_bytes(b"engin")
    file = {"path": str(path), "mode": "0644", "src": str(copied), "sha256": hashlib.sha256(b"engine").hexdigest()}
    with pytest.raises(ModuleFailed, match="not what was sent"):
        run_module(manifest, {"files": [file]})
    assert path.read_bytes() == b"old"
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["copied", "rmq.pyz"]


def test_directory_in_the_way_of_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "broker.conf").mkdir()
    with pytest.raises(ModuleFailed, match=r"broker\.conf: is a directory"):
        run_module(manifest, {"files": [text_file(tmp_path / "broker.conf", "x")]})


def test_link_is_moved_to_its_new_target(tmp_path: Path) -> None:
    link = {"path": str(tmp_path / "rmq.pyz"), "target": "rmq-1.pyz"}
    run_module(manifest, {"links": [link]})
    moved = run_module(manifest, {"links": [dict(link, target="rmq-2.pyz")]})
    assert (tmp_path / "rmq.pyz").readlink() == Path("rmq-2.pyz")
    assert moved["diff"][0]["before"] == "link to rmq-1.pyz\n"


def secret_file(path: Path, content: str) -> dict[str, Any]:
    file = text_file(path, content, hidden_keys=["initAuthenticationUser"])
    return {**file, "secret_content": file.pop("content")}


def test_diff_of_settings_shows_everything_but_their_secrets(tmp_path: Path) -> None:
    path = tmp_path / "broker.conf"
    path.write_text("brokerId=0\ninitAuthenticationUser={canary-1}\\\n  canary-2\nlistenPort=1\n")
    done = run_module(manifest, {"files": [secret_file(path, "brokerId=0\ninitAuthenticationUser={canary-3}\n")]})
    (diff,) = done["diff"]
    assert (diff["before"], diff["after"]) == (
        "brokerId=0\ninitAuthenticationUser=(hidden)\nlistenPort=1\n",
        "brokerId=0\ninitAuthenticationUser=(hidden)\n",
    )
    assert "canary" not in str(done)
    assert "canary-3" in path.read_text()


def test_secret_that_alone_has_changed_shows_as_a_change(tmp_path: Path) -> None:
    path = tmp_path / "broker.conf"
    path.write_text("initAuthenticationUser={canary-1}\n")
    (diff,) = run_module(manifest, {"files": [secret_file(path, "initAuthenticationUser={canary-2}\n")]})["diff"]
    assert (diff["before"], diff["after"]) == (
        "initAuthenticationUser=(hidden)\n",
        "initAuthenticationUser=(hidden)\n(hidden, changed)\n",
    )
