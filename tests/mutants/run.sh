#!/usr/bin/env bash
# Tests the tests: changes window, count and detect in one place at a time (cargo-mutants) and looks whether a unit test or the
# pipeline, which need no broker, notice. What they miss must be explained in docs/reliability.md.
#
#   tests/mutants/run.sh                          all mutants, an hour on two cores
#   tests/mutants/run.sh --file 'src/count/**'    those of some files; options are those of `cargo mutants`
#   tests/mutants/run.sh --iterate                goes on: only those that no run before saw caught
#
# Half of the mutants each in two packages, so that no tests wait for a compiler. Results are in target/mutants/<half>/mutants.out:
# caught.txt, missed.txt, timeout.txt, unviable.txt, and a log for each.
set -euo pipefail
if [[ ${1:-} == --help ]]; then
    sed -n '2,/^set /s/^# \{0,1\}//p' "$0"
    exit
fi
cd "$(dirname "$0")/../.."

VERSION=27.1.0

target=$(cargo metadata --format-version 1 --no-deps | python3 -c 'import json,sys; print(json.load(sys.stdin)["target_directory"])')
home=$target/mutants

if [[ ! -e $home/tool/bin/cargo-mutants ]]; then
    cargo install -q --locked --root "$home/tool" "cargo-mutants@$VERSION"
fi

# tree HALF: the package of the pure modules and the configuration, with the tests that are to notice.
tree() {
    local tree=$home/$1/tree
    rm -rf "$tree"
    mkdir -p "$tree/src" "$tree/tests"
    cp tests/mutants/package.toml "$tree/Cargo.toml"
    cp Cargo.lock build.rs rust-toolchain.toml "$tree"
    cp tests/mutants/lib.rs src/net.rs src/time.rs src/proto.rs "$tree/src"
    cp -r src/{units,flow,rule,window,partial,count,detect,alert,config,replay} "$tree/src"
    # The tests of these have nothing to say, and take longest to compile.
    find "$tree"/src/{units,flow,rule,alert,config,replay} -name '*.rs' -exec sed -i 's/#\[cfg(test)\]/#[cfg(any())]/' {} +
    cp -r proto "$tree"
    cp -r tests/pipeline tests/support tests/vectors "$tree/tests"
    # The demo's traffic comes with the demo, which has a broker in it.
    rm "$tree/tests/pipeline/scenarios/background.rs"
    sed -i '/^mod background;$/d' "$tree/tests/pipeline/scenarios/mod.rs"
}

# pass HALF OPTION… [-- OPTION OF THE TESTS…]: one run over the half's mutants.
pass() {
    local half=$1
    shift
    local status=0
    CARGO_TARGET_DIR=$home/$half/target "$home/tool/bin/cargo-mutants" mutants --dir "$home/$half/tree" --in-place \
        --output "$home/$half" --shard "$half/2" --timeout 60 --build-timeout 300 --no-shuffle --colors never "$@" || status=$?
    # 2 and 3: some were missed, or ran into the time-out.
    ((status == 0 || status == 2 || status == 3))
}

# known: lets each half know of what either has noticed, a test that never ends included: both then leave out the same, and
# share the rest.
known() {
    local half results=() noticed=$home/noticed.txt
    for half in 0 1; do
        mkdir -p "$home/$half/mutants.out"
        results+=("$home/$half/mutants.out"/{caught,previously_caught,unviable,timeout}.txt)
    done
    cat "${results[@]}" 2>/dev/null | sort -u >"$noticed" || true
    for half in 0 1; do
        cp "$noticed" "$home/$half/mutants.out/previously_caught.txt"
    done
}

# both OPTION…: one run over what is not known.
both() {
    known
    pass 0 "$@" >>"$home/0.log" 2>&1 &
    pass 1 "$@" >>"$home/1.log" 2>&1
    wait $!
}

options=(--iterate) goes_on=
for option in "$@"; do
    if [[ $option == --iterate ]]; then
        goes_on=yes
    else
        options+=("$option")
    fi
done
if [[ $* != *--file* ]]; then
    options+=(--file 'src/window/**' --file 'src/count/**' --file 'src/detect/**')
fi
if [[ -z $goes_on ]]; then
    rm -rf "$home"/[01]/mutants.out
fi
# What a mutant makes endless ends at one of these.
ulimit -v 8000000
# Each mutant is judged by itself: no failing case is made small or kept for the next, no snapshot is written.
export PROPTEST_DISABLE_FAILURE_PERSISTENCE=true PROPTEST_MAX_SHRINK_ITERS=0 INSTA_UPDATE=no RUST_BACKTRACE=0
tree 0
tree 1
rm -f "$home"/[01].log
# Most are caught by what takes a second, most of the others by all unit tests; what is left gets everything.
both "${options[@]}" --cargo-arg=--lib -- -- --skip partial:: --skip detect::pass::tests --skip detect::tests::sums --skip detect::tests::crash
both "${options[@]}" --cargo-arg=--lib -- -- --skip partial::
both "${options[@]}" -- -- --skip partial::
cat "$home"/[01]/mutants.out/missed.txt
known
wc -l "$home/noticed.txt" "$home"/[01]/mutants.out/missed.txt
