#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Brings a mode up on this machine, sends and receives a message, and says what to type next.
# usage: tools/up.sh MODE [ansible-playbook arguments, such as -e rocketmq_port_offset=1000]
# shellcheck source=tools/lib.sh
. "$(dirname "$0")/lib.sh"

mode=${1:?usage: tools/up.sh MODE}
shift
cd "$ROOT"
[ -f "inventories/$mode/hosts.yml" ] ||
    die "no such mode: $mode; there are: $(find inventories -mindepth 1 -maxdepth 1 -printf '%f ' | tr ' ' '\n' | sort | xargs)"

.venv/bin/ansible-playbook "playbooks/$mode.yml" "$@"

# What came up is read from the record that the run has left.
record=$(.venv/bin/python tools/deployment.py)
namesrv=$(sed -n 's/^namesrv //p' <<<"$record")
mqadmin=home/bin/mqadmin

printf '\n%-12s %-28s %s\n' NODE ROLE ADDRESS
sed -n 's/^node //p' <<<"$record" | while IFS=$'\t' read -r name role address; do
    printf '%-12s %-28s %s\n' "$name" "$role" "$address"
done

printf '\n$ '"$mqadmin"' sendMessage -n "%s" -t Hello -p "Hello, RocketMQ"\n' "$namesrv"
"$mqadmin" sendMessage -n "$namesrv" -t Hello -p "Hello, RocketMQ"
printf '\n$ '"$mqadmin"' consumeMessage -n "%s" -t Hello\n' "$namesrv"
received=$("$mqadmin" consumeMessage -n "$namesrv" -t Hello)
printf '%s\n' "$received"
grep -q 'Hello, RocketMQ' <<<"$received" || die "the message that was sent did not come back"

cat <<TEXT

The cluster is up. Clients connect to the name servers $namesrv
    look at it       $mqadmin clusterList -n "$namesrv"
    its logs         $(sed -n "s|^home $HOME|~|p; s|^home /|/|p" <<<"$record")/nodes/*/logs
    another mode     make down && make up MODE=2m-noslave
    its end          make down
TEXT
