#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Runs the client programs of tests/interop/programs on the cluster of `make up`, which it brings up where none answers,
# and on a cluster of Apache's; shows what each prints. Exit 0: they print the same.
# usage: tools/compare-programs.sh [ansible-playbook arguments for a cluster that it has to bring up]
# shellcheck source=tools/lib.sh
. "$(dirname "$0")/lib.sh"

cd "$ROOT"
# The record stays when a cluster is stopped.
namesrv=$(.venv/bin/python tools/deployment.py 2>/dev/null | sed -n 's/^namesrv //p') || true
if [ -z "$namesrv" ] || ! home/bin/mqadmin clusterList -n "$namesrv" >/dev/null 2>&1; then
    tools/up.sh 2m-2s-sync "$@"
fi
PYTHONPATH=$ROOT/plugins/module_utils:$ROOT/src:$ROOT exec .venv/bin/python -m tests.interop.programs.compare
