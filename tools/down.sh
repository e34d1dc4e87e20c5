#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Ends the cluster of `make up`; its messages stay. usage: tools/down.sh [-e rocketmq_remove=true to delete them too]
# shellcheck source=tools/lib.sh
. "$(dirname "$0")/lib.sh"

cd "$ROOT"
exec .venv/bin/ansible-playbook playbooks/stop.yml "$@"
