#!/usr/bin/env bash
# Tests the tests: changes window, count and detect in one place at a time (cargo-mutants) and looks whether a unit test or the
# pipeline, which both need no broker, notice. What they miss must be explained in docs/reliability.md.
#
#   tests/mutants/run.sh                          all mutants, an hour on two cores
#   tests/mutants/run.sh --file 'src/count/**'    those of some files; all options of `cargo mutants` will do
#   tests/mutants/run.sh --iterate                only those that the run before did not see caught
#
# Results are in target/mutants/mutants.out: caught.txt, missed.txt, timeout.txt, unviable.txt, and a log for each.
set -euo pipefail
cd "$(dirname "$0")/../.."

VERSION=27.1.0

target=$(cargo metadata --format-version 1 --no-deps | python3 -c 'import json,sys; print(json.load(sys.stdin)["target_directory"])')
home=$target/mutants
tree=$home/tree

if [[ ! -e $home/tool/bin/cargo-mutants ]]; then
    cargo install -q --locked --root "$home/tool" "cargo-mutants@$VERSION"
fi

# The package: the pure modules, the configuration, and the tests of both.
rm -rf "$tree"
mkdir -p "$tree/src" "$tree/tests"
cp tests/mutants/Cargo.toml Cargo.lock build.rs "$tree"
cp tests/mutants/lib.rs src/net.rs src/time.rs src/proto.rs "$tree/src"
for module in units flow rule window partial count detect alert config; do
    cp -r "src/$module" "$tree/src"
done
cp -r proto "$tree"
cp -r tests/pipeline tests/support tests/vectors "$tree/tests"

# What a mutant makes endless ends at one of these; a run takes 7 s on an idle machine.
ulimit -v 8000000
options=(--dir "$tree" --output "$home" --jobs 2 --timeout 90 --build-timeout 300 --no-shuffle --colors never)
if [[ $* != *--file* ]]; then
    options+=(--file 'src/window/**' --file 'src/count/**' --file 'src/detect/**')
fi

# Each mutant is judged by itself: no failing case is kept for the next, no snapshot is written.
export PROPTEST_DISABLE_FAILURE_PERSISTENCE=true INSTA_UPDATE=no CARGO_TERM_COLOR=never
unset CARGO_TARGET_DIR
PATH=$home/tool/bin:$PATH cargo mutants "${options[@]}" "$@" -- --lib --test pipeline \
    -- --skip config:: --skip rule:: --skip flow:: --skip alert:: --skip units::
