# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
# Read by the commands beside it (. rmq.sh): finds ROCKETMQ_HOME, an interpreter and the engine, then becomes the command.
#
#   where it lies                       the engine
#   a deployed home (lib/rmq.pyz)       that archive, with the interpreter lib/python3 if there is one
#   a clone (home/ in the collection)   the two source roots of the clone, through PYTHONPATH

run() {
    place=$(place_of "$0")
    ROCKETMQ_HOME=${ROCKETMQ_HOME:-$place}
    export ROCKETMQ_HOME
    python=$(find_python "$place") || exit 1
    if [ -f "$place/lib/rmq.pyz" ]; then
        exec "$python" "$place/lib/rmq.pyz" "$@"
    fi
    clone=$(dirname "$place")
    if [ ! -d "$clone/src/rmq" ]; then
        echo "$1: there is no engine: neither $place/lib/rmq.pyz nor $clone/src/rmq" >&2
        exit 1
    fi
    PYTHONPATH=$clone/plugins/module_utils:$clone/src${PYTHONPATH:+:$PYTHONPATH}
    export PYTHONPATH
    exec "$python" -m rmq.cli.main "$@"
}

# The folder above the command's own, links followed: what Apache calls the home.
place_of() {
    command=$1
    while [ -h "$command" ]; do
        link=$(readlink "$command")
        case $link in
            /*) command=$link ;;
            *) command=$(dirname "$command")/$link ;;
        esac
    done
    (cd "$(dirname "$command")/.." && pwd)
}

# The engine needs Python 3.11 or newer: the one that was chosen for this home, the one that the user names, the newest.
find_python() {
    for python in "$1/lib/python3" "${ROCKETMQ_PYTHON:-}" \
        python3.19 python3.18 python3.17 python3.16 python3.15 python3.14 python3.13 python3.12 python3.11 python3; do
        if [ -n "$python" ] && command -v "$python" >/dev/null 2>&1 && is_new_enough "$python"; then
            command -v "$python"
            return 0
        fi
    done
    echo "RocketMQ's Python engine needs Python 3.11 or newer, and there is none on the PATH." >&2
    echo "Install one (Debian 12: apt install python3; Ubuntu 24.04: apt install python3), or set ROCKETMQ_PYTHON." >&2
    return 1
}

is_new_enough() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}
