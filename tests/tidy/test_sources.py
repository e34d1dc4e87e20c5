# SPDX-License-Identifier: Apache-2.0
"""What every source file has to be: licensed, old enough for where it runs, free of leftovers, in short functions."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

import pytest

from . import tree

if TYPE_CHECKING:
    from collections.abc import Iterator

# Ansible 2.19 supports managed hosts down to this Python.
MANAGED_HOST_SYNTAX = (3, 8)
FUNCTION_LINES_MAX = 65
LONG_FUNCTIONS = "tests/tidy/long_functions.txt"

SOURCE_SUFFIXES = (".py", ".sh", ".java", ".xml")
# Ansible's sanity tests ask for this header in plugins; the shared half is under the engine's licence.
GPL_FOLDERS = ("plugins/modules/", "plugins/action/", "plugins/plugin_utils/", "plugins/doc_fragments/")

LEFTOVER = re.compile(r"\b(?:" + "|".join(["FIX" + "ME", "X" + "XX", "HACK" + r":"]) + r")\b")
# Places that exist on one machine only, and hosts that a package client is configured with.
MACHINE_PATH = re.compile(r"(?<![\w.<$}-])/(?:work|root|tmp/apache)/[\w.-]+")
REGISTRY_HOST = re.compile(
    r"https?://[^\s\"')>]*(?:pypi|pythonhosted|npmjs|repo1?\.maven|goproxy|crates\.io|deb\.debian|artifactory|nexus)",
    re.IGNORECASE,
)
# The documents may tell a user where a project lives; nothing else may name a host to fetch from.
TEXT_SUFFIXES = (".py", ".sh", ".yml", ".yaml", ".md", ".txt", ".cfg", ".toml", ".j2", ".java", ".xml", ".conf")


def source_files() -> tuple[str, ...]:
    return tuple(path for path in tree.files(*SOURCE_SUFFIXES) if tree.text(path).strip())


def managed_host_files() -> list[str]:
    return list(tree.under("plugins/modules", "plugins/module_utils"))


@pytest.mark.parametrize("path", source_files())
def test_a_source_file_names_its_licence(path: str) -> None:
    head = "\n".join(tree.text(path).splitlines()[:5])
    if path.startswith(GPL_FOLDERS) or (path.startswith("plugins/module_utils/") and "/rmq/" not in path):
        assert "GNU General Public License v3.0+" in head or "SPDX-License-Identifier: GPL-3.0-or-later" in head
    elif path.startswith(("tests/unit/", "benchmarks/callback/")):
        # What imports Ansible may be under its licence.
        assert "SPDX-License-Identifier: " in head
    else:
        assert "SPDX-License-Identifier: Apache-2.0" in head


@pytest.mark.parametrize("path", managed_host_files())
def test_what_runs_on_managed_hosts_keeps_to_old_syntax(path: str) -> None:
    ast.parse(tree.text(path), filename=path, feature_version=MANAGED_HOST_SYNTAX)


@pytest.mark.parametrize("path", [path for path in managed_host_files() if tree.text(path).strip()])
def test_what_runs_on_managed_hosts_evaluates_no_annotation(path: str) -> None:
    """`list[int]` in an annotation is an error on an old Python, unless annotations are not evaluated."""
    statements = [node for node in tree.tree(path).body if not isinstance(node, ast.Expr)]
    first = statements[0] if statements else None
    assert first is None or (isinstance(first, ast.ImportFrom) and first.module == "__future__")


@pytest.mark.parametrize("path", [path for path in managed_host_files() if tree.text(path).strip()])
def test_what_runs_on_managed_hosts_neither_asserts_nor_prints(path: str) -> None:
    faults = [
        node.lineno
        for node in ast.walk(tree.tree(path))
        if isinstance(node, ast.Assert)
        or (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print")
    ]
    assert not faults, f"{path}: lines {faults}"


@pytest.mark.parametrize("pattern", [LEFTOVER, MACHINE_PATH, REGISTRY_HOST], ids=["leftover", "path", "registry"])
def test_the_tree_holds_no(pattern: re.Pattern[str]) -> None:
    faults = [
        f"{path}:{number}: {line.strip()}"
        for path in (*tree.files(*TEXT_SUFFIXES), "Makefile")
        for number, line in enumerate(tree.text(path).splitlines(), 1)
        if pattern.search(line)
    ]
    assert not faults, "\n".join(faults)


def long_functions() -> Iterator[tuple[str, int]]:
    """Each function over the limit, as path::name, with its lines (docstring and decorators not counted)."""
    for path in tree.files(".py"):
        for node in ast.walk(tree.tree(path)):
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            first = node.body[0]
            if ast.get_docstring(node) is not None:
                lines -= (first.end_lineno or first.lineno) - first.lineno + 1
            if lines > FUNCTION_LINES_MAX:
                yield f"{path}::{node.name}", lines


def test_no_function_has_just_grown_long() -> None:
    """The list is a ratchet: it holds old debts with their size, and gets shorter only."""
    listed = {}
    for line in tree.text(LONG_FUNCTIONS).splitlines():
        if line and not line.startswith("#"):
            name, lines = line.split()
            listed[name] = int(lines)
    found = dict(long_functions())
    grown = [f"{name} has {lines} lines" for name, lines in found.items() if lines > listed.get(name, 0)]
    assert not grown, "look for the second idea in: " + ", ".join(grown)
    paid = sorted(set(listed) - set(found))
    assert not paid, f"no longer long, take them off {LONG_FUNCTIONS}: {paid}"
