# Copyright: Contributors to the RocketMQ cluster collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Manifests: what a machine and a node need, as options of the module ``manifest``.

A node's fingerprint is the digest of all that takes effect only by a restart: its settings, its command line (which
names the engine by its content) and its environment.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import jinja2

from ..module_utils.node_paths import NodePaths, unit_name
from ..module_utils.rmq.topology import properties
from ..module_utils.rmq.topology.limits import SECRET_KEYS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from .engine_archive import EngineArchive

START_TIMEOUT_S = 900
STOP_TIMEOUT_S = 120
_HEADER = "# Written by the collection rocketmq.cluster. What is changed here is gone after its next run.\n"
_TITLES = {"namesrv": "name server", "broker": "broker"}
_PROGRAMS = {"namesrv": "mqnamesrv", "broker": "mqbroker"}
_LOG_NAMES = {"namesrv": "namesrv.log", "broker": "broker.log"}
# Folders whose units may not have ProtectHome=.
_PRIVATE = ("/home/", "/root/")


@dataclass(frozen=True)
class Rendered:
    """``manifest``: options of the module of that name; ``service``: options of ``node_service`` without its state."""

    manifest: dict[str, Any]
    service: dict[str, Any]
    fingerprint: str


# ---- the machine --------------------------------------------------------------------------------------------------


def engine_files(root: Path, archive: EngineArchive, record: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The files under rocketmq_home that a machine has once, by their path there.  The archive has no content here: it
    is copied."""
    files: dict[str, dict[str, Any]] = {f"lib/{archive.file_name}": {"mode": "0644", "sha256": archive.sha256}}
    for folder, mode in (("bin", "0755"), ("conf", "0644")):
        for path in sorted((root / "home" / folder).rglob("*")):
            if path.is_file():
                files[f"{folder}/{path.relative_to(root / 'home' / folder).as_posix()}"] = _text(path.read_text(), mode)
    files["deployment.json"] = _text(json.dumps(record, indent=2, sort_keys=True) + "\n", "0644")
    return files


def engine_manifest(
    home: str, files: Mapping[str, Mapping[str, Any]], archive: EngineArchive, python: str, owner: str | None
) -> dict[str, Any]:
    """The machine's part: the engine, RocketMQ's commands and files of settings, the record of the deployment."""
    folders = {""} | {parent for path in files for parent in _parents(path)} | {"nodes"}
    return {
        "directories": [
            _owned({"path": f"{home}/{folder}".rstrip("/"), "mode": "0755"}, owner) for folder in sorted(folders)
        ],
        "files": [_owned({"path": f"{home}/{path}", **file}, owner) for path, file in files.items()],
        "links": [
            {"path": f"{home}/lib/rmq.pyz", "target": archive.file_name},
            # RocketMQ's commands run the interpreter that preflight chose.
            {"path": f"{home}/lib/python3", "target": python},
        ],
    }


def _parents(path: str) -> list[str]:
    parts = path.split("/")[:-1]
    return ["/".join(parts[: count + 1]) for count in range(len(parts))]


# ---- the node -----------------------------------------------------------------------------------------------------


def render_node(root: Path, node: Mapping[str, Any], look: Mapping[str, Any], archive: EngineArchive) -> Rendered:
    """The node's part: its folders, its settings, its unit, and how it is started."""
    systemd = look["service_manager"] == "systemd"
    paths = NodePaths(look["home"], node["host"], store_dir=look["store_dir"], log_dir=look["log_dir"])
    user = node["user"] if systemd else None
    settings = _HEADER + properties.render(node["settings"])
    command = _command(node, look, paths, archive)
    environment = {"ROCKETMQ_HOME": look["home"], "ROCKETMQ_LOG_DIR": paths.log_dir}
    fingerprint = _digest(json.dumps([settings, command, environment], sort_keys=True))
    conf = _settings_file(settings, node["settings"], systemd=systemd)
    files = [_owned({"path": _conf_path(node, paths), **conf}, "root" if systemd else None, user)]
    if systemd:
        unit = _unit(root, node, paths, command=command, environment=environment)
        files.append({"path": f"/etc/systemd/system/{unit_name(node['cluster'], node['host'])}", **_text(unit, "0644")})
        fingerprint = _digest(fingerprint + unit)
    return Rendered(
        {"directories": _folders(paths, _log_folders(node["settings"]), user), "files": files, "links": []},
        {
            "node": node["host"],
            "cluster": node["cluster"],
            "service_manager": look["service_manager"],
            "home": look["home"],
            "log_files": [f"{paths.log_dir}/console.log", f"{paths.log_dir}/{_LOG_NAMES[node['kind']]}"],
            "abort_file": f"{paths.store_dir}/abort" if node["kind"] == "broker" else None,
            "command": supervised(look["python"], f"{look['home']}/lib/{archive.file_name}", paths, command),
            "environment": environment,
            "fingerprint": fingerprint,
        },
        fingerprint,
    )


def _settings_file(text: str, settings: Mapping[str, str], *, systemd: bool) -> dict[str, Any]:
    """Readable by the service alone; where it holds a secret, also hidden from logs and diffs."""
    # In any case: a secret that goes away stands on the other side of the diff.
    hidden = {"hidden_keys": sorted(SECRET_KEYS)}
    if SECRET_KEYS.isdisjoint(settings):
        return {**_text(text, "0640"), **hidden}
    # Without systemd the group is the user's own, and others may be in it.
    mode = "0640" if systemd else "0600"
    return {"mode": mode, "secret_content": text, "sha256": _digest(text), **hidden}


def supervised(python: str, archive: str, paths: NodePaths, command: list[str]) -> list[str]:
    """The supervisor's command line around a node's own."""
    return [python, archive, "supervise", "--detach", "--pid-file", paths.pid_file, "--", *command]


def _command(node: Mapping[str, Any], look: Mapping[str, Any], paths: NodePaths, archive: EngineArchive) -> list[str]:
    engine = f"{look['home']}/lib/{archive.file_name}"
    return [look["python"], engine, _PROGRAMS[node["kind"]], "-c", _conf_path(node, paths)]


def _conf_path(node: Mapping[str, Any], paths: NodePaths) -> str:
    return f"{paths.folder}/{node['kind']}.conf"


def _log_folders(settings: Mapping[str, str]) -> list[str]:
    """Where a broker's commit log lies, if not in its store: it may be spread over several disks."""
    keys = ("storePathCommitLog", "readOnlyCommitLogStorePaths")
    return [path for key in keys for path in settings.get(key, "").split(",") if path]


def _folders(paths: NodePaths, log_folders: list[str], user: str | None) -> list[dict[str, Any]]:
    root = "root" if user else None
    outer = _owned({"path": paths.folder, "mode": "0755"}, root)
    # What it was started with is noted by Ansible, not by the node.
    run = _owned({"path": paths.run_dir, "mode": "0755"}, root)
    private = dict.fromkeys((paths.store_dir, paths.log_dir, *log_folders))
    own = [_owned({"path": path, "mode": "0750"}, user) for path in private]
    return [outer, run, *own]


def _unit(
    root: Path,
    node: Mapping[str, Any],
    paths: NodePaths,
    *,
    command: list[str],
    environment: Mapping[str, str],
) -> str:
    template = (root / "roles" / "engine" / "templates" / "node.service.j2").read_text()
    engine = jinja2.Environment(
        undefined=jinja2.StrictUndefined, trim_blocks=True, keep_trailing_newline=True, autoescape=False
    )
    writable = [paths.store_dir, paths.log_dir, *_log_folders(node["settings"])]
    return engine.from_string(template).render(
        title=_TITLES[node["kind"]],
        node=node["host"],
        cluster=node["cluster"],
        user=node["user"],
        folder=paths.folder,
        console=f"{paths.log_dir}/console.log",
        environment=environment,
        command=[_escaped(part) for part in command],
        writable=[_escaped(path) for path in writable],
        below_home=any(path.startswith(_PRIVATE) for path in (*writable, paths.home)),
        start_timeout_s=START_TIMEOUT_S,
        stop_timeout_s=STOP_TIMEOUT_S,
    )


def _escaped(text: str) -> str:
    """A word of a unit file: per cent signs are systemd's, quotes hold blanks together."""
    text = text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return f'"{text}"' if " " in text else text


# ---- small things -------------------------------------------------------------------------------------------------


def _text(content: str, mode: str) -> dict[str, Any]:
    return {"mode": mode, "content": content, "sha256": _digest(content)}


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _owned(item: dict[str, Any], owner: str | None, group: str | None = None) -> dict[str, Any]:
    return {**item, "owner": owner, "group": group or owner} if owner else item
