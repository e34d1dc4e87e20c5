#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Runs Molecule scenarios from beginning to end. usage: tools/run-molecule.sh [SCENARIO...]; all without arguments.
# shellcheck source=tools/lib.sh
. "$(dirname "$0")/lib.sh"

ROCKETMQ_MOLECULE_IMAGE=$("$ROOT/tools/setup-image.sh")
collections=$("$ROOT/.venv/bin/python" "$ROOT/tools/fetch_collections.py" "$CACHE")
# ANSIBLE_HOME inside the tree: a copy of the collection under the user's home would hide later edits.
export ROCKETMQ_MOLECULE_IMAGE PATH="$ROOT/.venv/bin:$PATH"
export ANSIBLE_HOME="$ROOT/.ansible" ANSIBLE_COLLECTIONS_PATH="$ROOT/.dev:$collections"
export PY_COLORS=0 ANSIBLE_FORCE_COLOR=0 MOLECULE_EPHEMERAL_DIRECTORY

cd "$ROOT/extensions"
[ "$#" -gt 0 ] || set -- single-master 2m-2s-sync
for scenario; do
    MOLECULE_EPHEMERAL_DIRECTORY=$ROOT/build/molecule/$scenario
    mkdir -p "$MOLECULE_EPHEMERAL_DIRECTORY"
    say "molecule: $scenario"
    "${MOLECULE:-molecule}" test --scenario-name "$scenario" --destroy always
done
