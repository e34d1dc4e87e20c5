#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Builds the collection's tarball, installs it into an empty path, and checks every playbook from there, by path and by
# its collection name.
# shellcheck source=tools/lib.sh
. "$(dirname "$0")/lib.sh"

work=$ROOT/build/collection
export PATH="$ROOT/.venv/bin:$PATH" ANSIBLE_HOME="$work/home" ANSIBLE_COLLECTIONS_PATH="$work/installed"
export ANSIBLE_CONFIG="$work/ansible.cfg" ANSIBLE_LOCALHOST_WARNING=false ANSIBLE_INVENTORY_UNPARSED_WARNING=false

rm -rf "$work"
mkdir -p "$work/installed"
: >"$ANSIBLE_CONFIG"
cd "$ROOT"
ansible-galaxy collection build --output-path "$work" >/dev/null
tarball=$(ls "$work"/rocketmq-cluster-*.tar.gz)
# No dependencies, so no server is asked.
ansible-galaxy collection install --offline "$tarball" -p "$work/installed" >/dev/null
installed=$work/installed/ansible_collections/rocketmq/cluster
if tar -tzf "$tarball" | grep -E '(^|/)(\.dev|\.git|\.venv|\.ansible|build|__pycache__)(/|$)'; then
    die "the tarball carries files that do not belong into it"
fi

cd "$work"
for playbook in "$installed"/playbooks/*.yml; do
    name=$(basename "$playbook" .yml)
    ansible-playbook --syntax-check "$playbook" >/dev/null
    case $name in
        *-* | [0-9]*) ;;
        *) ansible-playbook --syntax-check "rocketmq.cluster.$name" >/dev/null ;;
    esac
done
say "$(basename "$tarball"): $(tar -tzf "$tarball" | wc -l) files, $(du -k "$tarball" | cut -f1) KiB, playbooks: $(find "$installed/playbooks" -maxdepth 1 -name '*.yml' | wc -l)"
