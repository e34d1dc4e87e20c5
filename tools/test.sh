#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Runs the tests in stages and prints the time of each beside its budget.
# usage: tools/test.sh ci      what CI runs; every stage runs, also after a failed one; ends with pytest's own summary
#        tools/test.sh chaos   the long form of every test under faults, in parts
#        tools/test.sh full    the long forms of all tests, in parts, those of chaos among them
# A part's result, seed and printout are kept in build/parts; one that has passed on these sources is not run again.
# shellcheck source=tools/lib.sh
. "$(dirname "$0")/lib.sh"

cd "$ROOT"
failed=()
times=()

# stage NAME BUDGET_MINUTES COMMAND...
stage() {
    local name=$1 budget=$2 start=$SECONDS result=passed
    shift 2
    printf '\n==> %s (budget %s min): %s\n' "$name" "$budget" "$*"
    if ! "$@" </dev/null; then
        result=FAILED
        failed+=("$name")
    fi
    times+=("$(printf '%-12s %6s of %2s min  %s' "$name" "$(minutes $((SECONDS - start)))" "$budget" "$result")")
}

minutes() { printf '%d:%02d' $(($1 / 60)) $(($1 % 60)); }

print_times() {
    printf '\n==> so far, %s min in all\n' "$(minutes $SECONDS)"
    printf '    %s\n' "${times[@]}"
}

setup() { make setup java go image; }

static() { make -k format lint types tidy collection sanity; }

units() { .venv/bin/pytest -q tests/engine tests/unit --ignore tests/engine/simulator; }

# The seed is printed at the end; TEST_SEED replays it.
fuzz() { FUZZ_FRAMES=$1 .venv/bin/pytest -q tests/engine/fuzz; }

chaos_tests() { .venv/bin/pytest -q tests/chaos "$@"; }

# Two files of cases at a time: much of their time they wait for what a client or a broker does by the clock.
interop() { .venv/bin/pytest tests/interop -n 2 --dist loadfile "$@"; }

# The budgets are what a quiet machine needs, and some air: 50 minutes in all.
ci() {
    stage set-up 6 setup
    [ "${#failed[@]}" -eq 0 ] || die "nothing can be tested without the set-up"
    stage static 4 static
    stage units 5 units
    # A run takes 1.4 s of one core, and there are twelve plans.
    stage simulator 4 make simulator SIMULATOR_SEEDS=14
    stage fuzz 4 fuzz 200000
    stage chaos 4 chaos_tests
    stage molecule 7 make molecule
    # Last, because whoever reads the end of the output wants the test runner's own count.
    print_times
    stage interop 16 interop
    if [ "${#failed[@]}" -gt 0 ]; then die "failed: ${failed[*]}"; fi
}

# part NAME COMMAND...: one long test. Its result is kept with the seed and the sources it ran on.
part() {
    local name=$1 result=build/parts/$1.json log=build/parts/$1.log start=$SECONDS status=passed seed
    shift
    if grep -qs "\"sources\": \"$sources\"" "$result" && grep -q '"status": "passed"' "$result"; then
        say "$name has passed on these sources: $result"
        return
    fi
    say "$name: $*"
    seed=${TEST_SEED:-$(od -An -N4 -tu4 /dev/urandom | tr -d ' ')}
    TEST_SEED=$seed "$@" </dev/null 2>&1 | tee "$log" || status=failed
    [ "$status" = passed ] || failed+=("$name")
    printf '{"part": "%s", "status": "%s", "seed": %s, "seconds": %s, "sources": "%s", "log": "%s"}\n' \
        "$name" "$status" "$seed" $((SECONDS - start)) "$sources" "$log" >"$result"
}

begin_parts() {
    mkdir -p build/parts
    # The content of the tree, uncommitted changes included.
    sources=$(export GIT_INDEX_FILE="$ROOT/build/parts/index" && git add --all && git write-tree)
}

end_parts() {
    # What the parts have printed of themselves, also those that passed earlier.
    cat build/parts/*.log | grep -a '^chaos: ' || true
    if [ "${#failed[@]}" -gt 0 ]; then die "failed: ${failed[*]}"; fi
}

# chaos_batches NAME COUNT PYTEST_ARGUMENTS...: the rounds of some tests in so many parts.
chaos_batches() {
    local name=$1 count=$2 batch
    shift 2
    for ((batch = 1; batch <= count; batch++)); do
        part "$name-$batch" .venv/bin/pytest -q --full --batch "$batch/$count" "$@"
    done
}

chaos_parts() {
    part simulator make simulator SIMULATOR_SEEDS=250
    chaos_batches kill 4 tests/chaos/test_kill.py -k test_everything_acknowledged
    chaos_batches sync-kill 4 tests/chaos/test_kill.py -k test_a_pair
    chaos_batches slaves 2 tests/chaos/test_slaves.py
    part damage .venv/bin/pytest -q --full tests/chaos/test_damage.py
    part damage-table .venv/bin/pytest -q --full tests/chaos/test_damage_table.py
    part full-disk .venv/bin/pytest -q --full tests/chaos/test_full_disk.py tests/chaos/test_fsync_error.py
}

chaos() {
    make setup
    begin_parts
    chaos_parts
    end_parts
}

full() {
    make setup java go image
    begin_parts
    # The two whose cases take an hour are parts of their own.
    part interop interop --long --ignore tests/interop/test_handover.py --ignore tests/interop/test_pairs.py
    part handover .venv/bin/pytest tests/interop/test_handover.py --long
    part pairs .venv/bin/pytest tests/interop/test_pairs.py --long
    part failover env INTEROP_FAILOVER_ROUNDS=10 .venv/bin/pytest tests/interop/test_failover.py --engine python -k killed_master
    chaos_parts
    part fuzz fuzz 2000000
    part molecule make molecule
    end_parts
}

case ${1:-} in
    ci | chaos | full) "$1" ;;
    *) die "usage: tools/test.sh ci|chaos|full" ;;
esac
