#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# ansible-lint, production profile, without network, on the tree as it stands.
# shellcheck source=tools/lib.sh
. "$(dirname "$0")/lib.sh"

cd "$ROOT"
export PATH="$ROOT/.venv/bin:$PATH"
# Whatever Ansible and ansible-compat leave behind stays inside the tree, where git ignores it: an installed copy of the
# collection under the user's home would hide later edits.
export ANSIBLE_HOME="$ROOT/.ansible" ANSIBLE_COLLECTIONS_PATH="$ROOT/.dev"
exec ansible-lint --offline --profile production --strict --nocolor -q "$@"
