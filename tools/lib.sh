# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2034
# Shared by the set-up scripts: where the clone and its cache are, how to speak, how to install a Debian package.
# Sourced, never run.

set -euo pipefail
umask 022

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# Everything that is slow to make and the same for every clone of the same sources lives here, named by its content.
CACHE=${ROCKETMQ_CLUSTER_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/rocketmq-cluster}
mkdir -p "$CACHE"

say() { printf '==> %s\n' "$*" >&2; }

die() {
    printf 'error: %s\n' "$*" >&2
    exit 1
}

# apt_install PACKAGE...: as root, or says what the user has to install.
apt_install() {
    if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
        die "these packages are missing and only root can install them: $*"
    fi
    say "installing $* (apt)"
    local log
    log=$(mktemp)
    if ! { apt-get -o DPkg::Lock::Timeout=300 -q update &&
        DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 -q -y --no-install-recommends install "$@"; } \
        >"$log" 2>&1 </dev/null; then
        tail -20 "$log" >&2
        rm -f "$log"
        die "apt could not install: $*"
    fi
    rm -f "$log"
}

# only_one NAME: the rest of the script runs in one process at a time on this machine.
only_one() {
    exec 9>"$CACHE/$1.lock"
    flock 9
}

# content_key FILE...: a short name for what these files say.
content_key() { cat "$@" | sha256sum | cut -c1-16; }
