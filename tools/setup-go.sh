#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Makes sure of Go and builds the official Go client's programs of the interop tests. Prints the program's path.
# Done once for each content of tests/interop/programs/go; the client's version is pinned there (go.mod, go.sum).
# shellcheck source=tools/lib.sh
. "$(dirname "$0")/lib.sh"

source_dir=$ROOT/tests/interop/programs/go
# Debian 12 has 1.19, which is what go.mod asks for.
go_fits() { command -v go >/dev/null && [[ "$(GOTOOLCHAIN=local go env GOVERSION)" =~ ^go1\.([0-9]+) ]] && [ "${BASH_REMATCH[1]}" -ge 19 ]; }

go_fits || apt_install golang-go ca-certificates
# Another toolchain is never fetched: the one that is here is new enough.
export GOTOOLCHAIN=local
built=$CACHE/go/programs-$(content_key "$source_dir"/go.mod "$source_dir"/go.sum "$source_dir"/*.go <(go env GOVERSION))

[ -e "$built/programs" ] || only_one go
if [ ! -e "$built/programs" ]; then
    say "building the Go client's programs"
    mkdir -p "$built"
    (cd "$source_dir" && CGO_ENABLED=0 go build -mod=readonly -trimpath -buildvcs=false -o "$built/programs.part" .) >&2 </dev/null ||
        die "go build failed"
    mv "$built/programs.part" "$built/programs"
fi
echo "$built/programs"
