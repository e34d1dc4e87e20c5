#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Makes .venv of the machine's Python and installs a requirements file into it.
# usage: tools/setup-venv.sh run|dev
# shellcheck source=tools/lib.sh
. "$(dirname "$0")/lib.sh"

level=${1:?usage: tools/setup-venv.sh run|dev}
requirements=$ROOT/requirements-$level.txt
[ -f "$requirements" ] || die "no such level: $level"

fits() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }

find_python() {
    local candidate
    for candidate in ${PYTHON:-} /usr/bin/python3 python3.13 python3.12 python3.11 python3; do
        if fits "$candidate"; then
            command -v "$candidate"
            return
        fi
    done
    return 1
}

if ! python=$(find_python); then
    apt_install python3 python3-venv
    python=$(find_python) || die "Python 3.11 or newer is needed; name one with PYTHON=/path/to/python3"
fi
cd "$ROOT"
if ! .venv/bin/python -m pip --version >/dev/null 2>&1; then
    "$python" -c 'import ensurepip, venv' 2>/dev/null || apt_install python3-venv
    rm -rf .venv
    "$python" -m venv .venv
fi
say "installing $(basename "$requirements") into .venv"
.venv/bin/python -m pip install --quiet --disable-pip-version-check --no-input -r "$requirements" ||
    die "pip could not install $(basename "$requirements")"
touch ".venv/$level.stamp"
if [ "$level" = dev ]; then touch .venv/run.stamp; fi
