# SPDX-License-Identifier: Apache-2.0
"""Imports point one way (docs/ARCHITECTURE.md, the map), and what touches the world has few homes."""

from __future__ import annotations

import ast
import sys

from . import tree

# What each package of `rmq` may import beside itself.
MAY_IMPORT: dict[str, set[str]] = {
    "remoting": set(),
    "client": {"remoting"},
    "topology": set(),
    "env": set(),
    "rpc": {"remoting", "env"},
    "runtime": {"env"},
    "store": {"remoting", "env", "topology"},
    "dynamic": {"remoting", "env", "rpc", "topology"},
    "namesrv": {"remoting", "env", "rpc", "topology", "dynamic"},
    "filter": set(),
    "broker": {"remoting", "env", "rpc", "store", "topology", "dynamic", "filter"},
    "cli": {"remoting", "client", "topology", "env", "rpc", "runtime", "store", "namesrv", "broker"},
}
SHARED = {"remoting", "client", "topology"}
# These talk to the world; everything else is handed a clock, a disk, a transport.
WORLDLY_PACKAGES = {"runtime", "client", "cli"}
WORLDLY_MODULES = {"asyncio", "socket", "time", "selectors", "threading", "subprocess"}
# Ansible's own collection loader is imported where Ansible runs our code, nowhere else.
ANSIBLE_FOLDERS = (
    "plugins/modules/",
    "plugins/action/",
    "plugins/plugin_utils/",
    "tests/unit/",
    "benchmarks/callback/",
)


def package_of(module: str) -> str:
    parts = module.split(".")
    return parts[1] if parts[0] == "rmq" and len(parts) > 1 else ""


def test_packages_import_only_what_the_map_allows() -> None:
    faults = []
    for path in tree.engine_files():
        package = package_of(tree.module_name(path))
        for found in tree.imports(path):
            target = package_of(found.module)
            if target and target != package and target not in MAY_IMPORT.get(package, set()):
                faults.append(f"{path}:{found.line}: rmq.{package} may not import rmq.{target}")
    assert not faults, "\n".join(faults)


def test_every_package_is_on_the_map() -> None:
    packages = {package_of(tree.module_name(path)) for path in tree.engine_files()}
    assert packages <= set(MAY_IMPORT)


def test_imports_inside_the_engine_are_relative() -> None:
    """Ansible's bundler and the archive rename the package; only relative imports survive that."""
    faults = [
        f"{path}:{found.line}: write the import of {found.module} relative"
        for path in tree.engine_files()
        for found in tree.imports(path)
        if found.module.split(".")[0] == "rmq" and not found.is_relative
    ]
    assert not faults, "\n".join(faults)


def test_the_engine_needs_the_standard_library_only() -> None:
    faults = [
        f"{path}:{found.line}: {found.module} is not in the standard library"
        for path in tree.engine_files()
        if package_of(tree.module_name(path)) != "runtime"  # which tries uvloop and does without
        for found in tree.imports(path)
        if not found.is_relative and found.module.split(".")[0] not in sys.stdlib_module_names
    ]
    assert not faults, "\n".join(faults)


def test_clock_disk_and_network_are_injected() -> None:
    faults = []
    for path in tree.engine_files():
        if package_of(tree.module_name(path)) in WORLDLY_PACKAGES:
            continue
        for found in tree.imports(path):
            if found.module.split(".")[0] in WORLDLY_MODULES:
                faults.append(f"{path}:{found.line}: {found.module} belongs into runtime, client or cli")
        faults += [
            f"{path}:{node.lineno}: open() belongs into runtime, client or cli"
            for node in ast.walk(tree.tree(path))
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "open"
        ]
    assert not faults, "\n".join(faults)


def test_only_plugins_import_ansible() -> None:
    faults = [
        f"{path}:{found.line}: imports {found.module}"
        for path in tree.files(".py")
        if not path.startswith(ANSIBLE_FOLDERS)
        for found in tree.imports(path)
        if found.module.split(".")[0] == "ansible"
    ]
    assert not faults, "\n".join(faults)


def test_no_file_is_without_a_reader() -> None:
    """A module that neither a plugin nor the command line reaches is dead."""
    entries = {*tree.under("plugins/modules", "plugins/action", "plugins/plugin_utils", "tools")}
    entries |= {path for path in tree.under("plugins/module_utils") if "/rmq/" not in path}
    entries |= {path for path in tree.engine_files() if path.endswith(("cli/main.py", "__main__.py"))}
    by_name = {tree.module_name(path): path for path in tree.engine_files()}
    reached: set[str] = set()
    queue = sorted(entries)
    while queue:
        path = queue.pop()
        if path in reached:
            continue
        reached.add(path)
        for found in tree.imports(path):
            # A plugin reaches the shared half through module_utils, relative or by the collection's name.
            module = found.module.rpartition("module_utils.")[2]
            names = [module, *(f"{module}.{name}" for name in found.names)]
            queue += [by_name[name] for name in names if name in by_name]
    dead = [path for path in tree.engine_files() if path not in reached and not path.endswith("__init__.py")]
    assert not dead, "nobody imports: " + ", ".join(dead)
