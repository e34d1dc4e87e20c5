#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Runs `ansible-test sanity` on a copy of the tree that lies where ansible-test wants a collection to lie.
# usage: tools/run-sanity.sh [ansible-test arguments, such as --test validate-modules]
# shellcheck source=tools/lib.sh
. "$(dirname "$0")/lib.sh"

python_bin=$ROOT/.venv/bin
copy=$ROOT/build/sanity/ansible_collections/rocketmq/cluster
# ansible-test keeps its environments and its bootstrap script under the home directory; they are worth keeping
# between clones, and not worth a place in the user's home.
home=$CACHE/ansible-test
python_version=$("$python_bin/python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
pip_version=$("$python_bin/python" - <<'PY'
import pathlib, sys
from ansible_test._internal.python_requirements import get_venv_packages
from ansible_test._internal.host_configs import NativePythonConfig
version = "%d.%d" % sys.version_info[:2]
print(get_venv_packages(NativePythonConfig(version=version, path=sys.executable))["pip"])
PY
)

rm -rf "$copy"
mkdir -p "$copy" "$home/.ansible/test/cache"
cp "$ROOT/tools/get_pip.py" "$home/.ansible/test/cache/get_pip_${pip_version//./_}.py"
# What git knows or would take: no caches, no build output. `.dev` is a link to the tree itself.
(cd "$ROOT" && git ls-files -z --cached --others --exclude-standard -- . ':!.dev' |
    while IFS= read -r -d '' file; do if [ -e "$file" ]; then printf '%s\0' "$file"; fi; done |
    tar --null -T - -c) | tar -C "$copy" -x

cd "$copy"
git init -q . && git add -A
PIP_CACHE_DIR=${PIP_CACHE_DIR:-$("$python_bin/python" -m pip cache dir)}
export PIP_CACHE_DIR HOME="$home" PATH="$python_bin:$PATH"
run() { ansible-test sanity --python "$python_version" --color no --requirements "$@"; }

if [ "$#" -gt 0 ]; then
    run "$@"
else
    run --skip-test pylint
    # The server half is no Ansible content: ruff and mypy --strict judge it, and pylint's opinions differ from theirs.
    run --test pylint plugins/
fi
