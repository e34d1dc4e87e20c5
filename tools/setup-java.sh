#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Makes sure of Java 17, fetches Apache's jars by Maven and compiles the official-client programs of the interop tests.
# Prints the directory that holds lib/ (the jars of 5.4.0), classes/ (tests/interop/java), lib-4.9.8/ (the older client)
# and programs-<version>/ (tests/interop/programs/java). Done once for each content of those sources.
# shellcheck source=tools/lib.sh
. "$(dirname "$0")/lib.sh"

source_dir=$ROOT/tests/interop/java
cases_dir=$ROOT/tests/interop/programs/java
# A class file says for which Java it was made, so the JDK's version is part of the key.
javac_version() { javac -version 2>&1 | awk '{print $2}'; }
javac_fits() { command -v javac >/dev/null && [ "$(javac_version | cut -d. -f1)" -ge 17 ]; }

# Maven is needed to fetch jars only, and the jars change only with the versions in the pom.
# fetch_jars POM TARGET
fetch_jars() {
    [ ! -d "$2" ] || return 0
    command -v mvn >/dev/null || apt_install maven
    say "fetching Apache's jars (Maven)"
    rm -rf "$2.part"
    mvn -q -B -f "$1" dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory="$2.part" >&2 </dev/null ||
        die "Maven could not fetch the jars"
    mv "$2.part" "$2"
}

# compile TARGET JARS SOURCE...
compile() {
    local target=$1 jars=$2
    shift 2
    mkdir -p "$target"
    javac -Xlint:all,-processing,-classfile,-path -Werror -nowarn -d "$target" -cp "$jars/*" "$@" >&2 || die "javac failed"
}

javac_fits || apt_install openjdk-17-jdk-headless
jars=$CACHE/java/jars-$(content_key "$source_dir/pom.xml")
jars_4=$CACHE/java/jars-$(content_key "$cases_dir/pom.xml")
programs=$CACHE/java/programs-$(content_key "$source_dir"/pom.xml "$source_dir"/src/*/*.java "$cases_dir"/pom.xml \
    "$cases_dir"/*/*.java <(javac_version))

[ -e "$programs/ready" ] || only_one java
if [ ! -e "$programs/ready" ]; then
    fetch_jars "$source_dir/pom.xml" "$jars"
    fetch_jars "$cases_dir/pom.xml" "$jars_4"
    rm -rf "$programs"
    mkdir -p "$programs"
    ln -s "$jars" "$programs/lib"
    ln -s "$jars_4" "$programs/lib-4.9.8"
    say "compiling the client programs"
    compile "$programs/classes" "$programs/lib" "$source_dir"/src/*/*.java
    compile "$programs/programs-5.4.0" "$programs/lib" "$cases_dir"/common/*.java "$cases_dir"/v5/*.java
    compile "$programs/programs-4.9.8" "$programs/lib-4.9.8" "$cases_dir"/common/*.java "$cases_dir"/v4/*.java
    touch "$programs/ready"
fi
echo "$programs"
