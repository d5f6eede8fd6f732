#!/usr/bin/env bash
# Real input that none of us wrote: softflowd makes NetFlow v9 and IPFIX of a capture, goflow2 puts them
# into a real Kafka, and hotprefix's alerts must equal the capture's bytes per prefix.
#
# Fetches goflow2 (Go) and softflowd (Debian) into target/tools, once. Needs go, python3, and for
# softflowd either the program itself or apt-get and dpkg; the test needs Java 17 and Maven.
set -euo pipefail
cd "$(dirname "$0")/../.."

readonly GOFLOW2_VERSION=v2.2.6
target=$(cargo metadata --format-version 1 --no-deps | python3 -c 'import json,sys; print(json.load(sys.stdin)["target_directory"])')
tools=$target/tools
work=$target/goflow2
mkdir -p "$tools" "$work"

need() {
    command -v "$1" >/dev/null || {
        echo "tests/goflow2/run.sh needs $1: install $2" >&2
        exit 1
    }
}

goflow2=$tools/goflow2-$GOFLOW2_VERSION/goflow2
if [[ ! -x $goflow2 ]]; then
    need go "Go 1.24 or later, https://go.dev/dl"
    GOBIN=$(dirname "$goflow2") go install "github.com/netsampler/goflow2/v2/cmd/goflow2@$GOFLOW2_VERSION"
fi

# Unpacked and not installed: the package would start a service.
softflowd=$(command -v softflowd || true)
if [[ -z $softflowd ]]; then
    root=$tools/softflowd
    softflowd=$root/usr/sbin/softflowd
    if [[ ! -x $softflowd ]]; then
        need apt-get "softflowd"
        need dpkg "softflowd"
        rm -rf "$root.partial"
        mkdir -p "$root.partial/packages"
        fetch() (cd "$root.partial/packages" && apt-get -qq -o APT::Sandbox::User=root download softflowd libpcap0.8)
        # A bare machine has no package lists yet; to fetch them needs root.
        fetch || { apt-get -qq update && fetch; }
        for package in "$root.partial"/packages/*.deb; do
            dpkg -x "$package" "$root.partial"
        done
        mv "$root.partial" "$root"
    fi
    LD_LIBRARY_PATH=$(dirname "$(find "$root/usr/lib" -name 'libpcap.so*' -print -quit)")
    export LD_LIBRARY_PATH
fi

need python3 "Python 3"
python3 tests/goflow2/pcap.py "$work/capture.pcap" "$work/expected.json"

export HOTPREFIX_TEST_GOFLOW2=$goflow2 HOTPREFIX_TEST_SOFTFLOWD=$softflowd HOTPREFIX_TEST_CAPTURES=$work
exec cargo test --quiet --test goflow2 "$@"
