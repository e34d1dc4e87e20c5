# SPDX-License-Identifier: Apache-2.0
"""The files of the project as the tidy tests see them: what git knows or would take."""

from __future__ import annotations

import ast
import functools
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
SHARED_ROOT = "plugins/module_utils"
SERVER_ROOT = "src"


@dataclass(frozen=True)
class Import:
    """One import statement: `module` is absolute, as Python would resolve it inside its root."""

    module: str
    names: tuple[str, ...]
    is_relative: bool
    line: int


@functools.cache
def files(*suffixes: str) -> tuple[str, ...]:
    """Paths relative to the root, those with one of these suffixes; all without any. Links are left out."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    paths = sorted(path for path in set(listed.split("\0")) if path)
    return tuple(
        path
        for path in paths
        if (not suffixes or path.endswith(suffixes)) and (ROOT / path).is_file() and not (ROOT / path).is_symlink()
    )


@functools.cache
def text(path: str) -> str:
    return (ROOT / path).read_text(encoding="utf-8")


@functools.cache
def tree(path: str) -> ast.Module:
    return ast.parse(text(path), filename=path)


def under(*folders: str) -> Iterator[str]:
    """The Python files below these folders."""
    return (path for path in files(".py") if path.startswith(tuple(f"{folder}/" for folder in folders)))


def engine_files() -> tuple[str, ...]:
    """The Python files of `rmq`, both halves."""
    return tuple(under(f"{SHARED_ROOT}/rmq", f"{SERVER_ROOT}/rmq"))


def module_name(path: str) -> str:
    """`rmq.store.commit_log` of src/rmq/store/commit_log.py; outside of `rmq` the path with dots."""
    for root in (SHARED_ROOT, SERVER_ROOT):
        if path.startswith(f"{root}/rmq/"):
            path = path[len(root) + 1 :]
            break
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def imports(path: str) -> Iterator[Import]:
    """Every import of a file, relative ones resolved."""
    name = module_name(path)
    package = name if path.endswith("/__init__.py") else name.rpartition(".")[0]
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(alias.name, (), False, node.lineno)
        elif isinstance(node, ast.ImportFrom):
            base = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            module = ".".join([*base, node.module] if node.module else base)
            yield Import(module, tuple(alias.name for alias in node.names), bool(node.level), node.lineno)
