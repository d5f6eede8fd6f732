#!/usr/bin/env bash
# The fault harness: `tests/faults/run.sh ci`, `all`, `replay --seed 3`, `soak --minutes 30`; --help tells all.
#
# Fetches libfaketime (Debian) into target/tools, once, so that clocks can be moved; where that is not possible those
# faults are left out, and the run says so. Needs Java 17 and Maven.
set -euo pipefail
cd "$(dirname "$0")/../.."

target=$(cargo metadata --format-version 1 --no-deps | python3 -c 'import json,sys; print(json.load(sys.stdin)["target_directory"])')
root=$target/tools/libfaketime-0.9.10

fetch() {
    local partial=$root.partial
    rm -rf "$partial"
    mkdir -p "$partial"
    download() (cd "$partial" && apt-get -qq -o APT::Sandbox::User=root download libfaketime)
    # A bare machine has no package lists yet; to fetch them needs root.
    download || { apt-get -qq update && download; } || return 0
    dpkg -x "$partial"/libfaketime_*.deb "$partial"
    mv "$partial"/usr/lib/*/faketime/libfaketimeMT.so.1 "$partial"
    rm -rf "${partial:?}"/usr "${partial:?}"/*.deb
    mv "$partial" "$root"
}

if [[ ! -d $root ]] && command -v apt-get >/dev/null && command -v dpkg >/dev/null; then
    fetch
fi
# With the system's allocator: jemalloc reads the clock before libfaketime, which allocates first, is ready; each waits for the
# other.
cargo test --locked --no-default-features --features failpoints --test faults -- "$@"
