#!/usr/bin/env bash
# Fuzzes what reads bytes of others: records, deltas and saved state, configuration, filters. Each target checks
# properties, not only that nothing panics; its file in tests/fuzz/targets says which.
#
#   tests/fuzz/run.sh [SECONDS [TARGET…]]   each target for so long (60), four at a time; all of them by default
#   tests/fuzz/run.sh --build               only compiles
#   tests/fuzz/run.sh --keep [TARGET…]      puts 4 KB of what was found since into tests/fuzz/corpus
#
# An input that breaks something is in target/fuzz/found, and the same program with that file as its argument runs it
# again. Inputs that found new code stay in target/fuzz/corpus: the next run goes on from there.
#
# Needs nothing but the pinned toolchain and a C++ compiler: libFuzzer comes with the crate libfuzzer-sys, and
# -Cpasses=sancov-module is what `cargo fuzz --sanitizer none` passes on a stable compiler. Rust code without unsafe needs no
# address sanitizer; overflow checks and debug assertions are on.
set -euo pipefail
if [[ ${1:-} == --help ]]; then
    sed -n '2,/^set /s/^# \{0,1\}//p' "$0"
    exit
fi
cd "$(dirname "$0")/../.."

all=(protobuf json count partials state config filter)
keep=
seconds=60
build_only=
if [[ ${1:-} == --keep ]]; then
    keep=yes
    shift
elif [[ ${1:-} == --build ]]; then
    build_only=yes
    shift
elif (($# > 0)); then
    seconds=$1
    shift
fi
targets=("$@")
if ((${#targets[@]} == 0)); then
    targets=("${all[@]}")
fi

target=$(cargo metadata --format-version 1 --no-deps | python3 -c 'import json,sys; print(json.load(sys.stdin)["target_directory"])')
home=$target/fuzz
host=$(rustc -vV | sed -n 's/^host: //p')
programs=$home/$host/release
found=$home/found
mkdir -p "$found"

flags=(
    --cfg fuzzing
    -Cpasses=sancov-module
    -Cllvm-args=-sanitizer-coverage-level=4
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters
    -Cllvm-args=-sanitizer-coverage-pc-table
    -Cllvm-args=-sanitizer-coverage-trace-compares
)
# With --target, build scripts and macros are compiled without the flags.
RUSTFLAGS="${flags[*]}" cargo build --locked --release --bins --manifest-path tests/fuzz/Cargo.toml \
    --target "$host" --target-dir "$home"
if [[ $build_only ]]; then
    exit
fi
rm -rf "$home/seeds"
mkdir -p "$home/seeds"
"$programs/seeds" "$home/seeds" -runs=0 >/dev/null 2>&1

# The longest input. Small ones run faster, and what is found in a large one is found in a small one, too, but in a
# configuration.
longest() {
    case $1 in
    protobuf) echo 512 ;;
    config) echo 9000 ;;
    *) echo 4096 ;;
    esac
}

fuzz() {
    local name=$1 log=$home/$1.log status=0
    mkdir -p "$home/corpus/$name" "tests/fuzz/corpus/$name"
    "$programs/$name" "$home/corpus/$name" "tests/fuzz/corpus/$name" "$home/seeds/$name" \
        -max_total_time="$seconds" -max_len="$(longest "$name")" -timeout=20 -rss_limit_mb=2048 \
        -print_final_stats=1 -artifact_prefix="$found/$name-" >"$log" 2>&1 || status=$?
    if ((status != 0)); then
        # The corpus of a run is long; what happened is at the end.
        grep -aE -A3 'panicked at|memory allocation|ERROR: libFuzzer|Test unit written' "$log" >&2 || tail -20 "$log" >&2
        echo "$name: failed; all of it is in $log. Again: $programs/$name $found/$name-…" >&2
        return 1
    fi
    local units
    units=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
    printf '%-10s %12d executions in %d s\n' "$name" "$units" "$seconds"
}

keep() {
    local name=$1 smaller=$home/smaller/$1
    rm -rf "$smaller"
    mkdir -p "$smaller" "$home/corpus/$name" "tests/fuzz/corpus/$name"
    # Without counters an input counts for the code that it reaches, not for how often.
    "$programs/$name" -set_cover_merge=1 -use_counters=0 -max_len=512 "$smaller" \
        "tests/fuzz/corpus/$name" "$home/corpus/$name" >"$home/$name.log" 2>&1
    rm -rf "tests/fuzz/corpus/$name"
    mkdir -p "tests/fuzz/corpus/$name"
    # The repository is no place for all of it: those that reach most are the longest of these, 4 KB of them.
    local left=4096 size input
    while read -r size input; do
        if ((size <= left)); then
            cp "$input" "tests/fuzz/corpus/$name"
            left=$((left - size))
        fi
    done < <(find "$smaller" -type f -size +31c -printf '%s %p\n' | sort -rn)
    printf '%-10s %6d inputs\n' "$name" "$(find "tests/fuzz/corpus/$name" -type f | wc -l)"
}

if [[ $keep ]]; then
    for name in "${targets[@]}"; do
        keep "$name"
    done
    exit
fi

export -f fuzz longest
export home programs found seconds
printf '%s\n' "${targets[@]}" | xargs -P 4 -I '{}' bash -euo pipefail -c 'fuzz {}'
