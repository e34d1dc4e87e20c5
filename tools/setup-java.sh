#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Makes sure of Java 17, fetches Apache's jars by Maven and compiles the official-client programs of the interop tests.
# Prints the directory that holds lib/ (the jars) and classes/. Done once for each content of tests/interop/java.
# shellcheck source=tools/lib.sh
. "$(dirname "$0")/lib.sh"

source_dir=$ROOT/tests/interop/java
# A class file says for which Java it was made, so the JDK's version is part of the key.
javac_version() { javac -version 2>&1 | awk '{print $2}'; }
javac_fits() { command -v javac >/dev/null && [ "$(javac_version | cut -d. -f1)" -ge 17 ]; }

javac_fits || apt_install openjdk-17-jdk-headless
# Maven is needed to fetch the jars only, and the jars change only with the versions in the pom.
jars=$CACHE/java/jars-$(content_key "$source_dir/pom.xml")
programs=$CACHE/java/programs-$(content_key "$source_dir"/pom.xml "$source_dir"/src/*/*.java <(javac_version))

if [ ! -e "$programs/ready" ]; then
    only_one java
    if [ ! -d "$jars" ]; then
        command -v mvn >/dev/null || apt_install maven
        say "fetching Apache's jars (Maven)"
        rm -rf "$jars.part"
        mvn -q -B -f "$source_dir/pom.xml" dependency:copy-dependencies -DincludeScope=runtime \
            -DoutputDirectory="$jars.part" >&2 </dev/null || die "Maven could not fetch the jars"
        mv "$jars.part" "$jars"
    fi
    rm -rf "$programs"
    mkdir -p "$programs/classes"
    ln -s "$jars" "$programs/lib"
    say "compiling the client programs"
    javac -Xlint:all,-processing,-classfile,-path -Werror -nowarn -d "$programs/classes" -cp "$programs/lib/*" "$source_dir"/src/*/*.java >&2 ||
        die "javac failed"
    touch "$programs/ready"
fi
echo "$programs"
