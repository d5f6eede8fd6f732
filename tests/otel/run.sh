#!/usr/bin/env bash
# Traces, metrics and logs of real runs through a real OpenTelemetry Collector; what happens without one; and,
# with `tests/otel/run.sh --cost`, what it all costs (a release build).
#
# Builds the Collector of its Go modules into target/tools, once. Needs go, openssl and python3; the test needs
# Java 17 and Maven.
set -euo pipefail
cd "$(dirname "$0")/../.."

readonly COLLECTOR_VERSION=v0.155.0
target=$(cargo metadata --format-version 1 --no-deps | python3 -c 'import json,sys; print(json.load(sys.stdin)["target_directory"])')
tools=$target/tools

need() {
    command -v "$1" >/dev/null || {
        echo "tests/otel/run.sh needs $1: install $2" >&2
        exit 1
    }
}
need openssl "OpenSSL 3"

# A change of what it is made of is another Collector.
made_of=$(cksum <tests/otel/builder.yaml)
home=$tools/otelcol-$COLLECTOR_VERSION-${made_of%% *}
if [[ ! -x $home/otelcol ]]; then
    need go "Go 1.25 or later, https://go.dev/dl"
    rm -rf "$home.partial"
    mkdir -p "$home.partial"
    GOBIN=$home.partial go install "go.opentelemetry.io/collector/cmd/builder@$COLLECTOR_VERSION"
    cp tests/otel/builder.yaml "$home.partial"
    (cd "$home.partial" && CGO_ENABLED=0 ./builder --config builder.yaml)
    mv "$home.partial/sources/otelcol" "$home.partial/otelcol"
    rm -rf "$home.partial/sources" "$home.partial/builder" "$home"
    mv "$home.partial" "$home"
fi
export HOTPREFIX_TEST_COLLECTOR=$home/otelcol

if [[ ${1:-} == --cost ]]; then
    shift
    exec cargo test --release --quiet --test otel_cost "$@" -- --nocapture
fi
exec cargo test --quiet --test otel "$@"
