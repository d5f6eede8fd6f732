# The steps of .ci/run by name. `pip install rust-just` or `cargo install just`.

# What there is.
default:
    @just --list --unsorted

# Formatting.
fmt:
    cargo fmt --check

# Spelling.
spelling:
    typos

# Shell scripts.
shell:
    shellcheck $(git grep --untracked -lE '^#(!/usr/bin/env bash|!/bin/(ba)?sh| shellcheck shell=)' -- ':!*.md')

# YAML files.
yaml:
    yamllint --strict $(git ls-files --cached --others --exclude-standard '*.yaml' '*.yml' .yamllint)

# Licences, sources and second versions of dependencies.
deny:
    cargo deny --locked check bans licenses sources

# Dependencies that nothing uses.
unused:
    cargo machete

# Known vulnerabilities; fetches the RustSec database.
advisories:
    cargo deny --locked check advisories

# Lints of everything. `--all-targets` leaves out suites with `test = false`, and is not needed to name them.
lint:
    cargo clippy --locked --all-targets --features failpoints -- -D warnings
    cargo clippy --locked --features failpoints --test endurance --test faults --test goflow2 --test image --test monitoring --test otel --test otel_cost --test security -- -D warnings

# Documentation builds without a warning.
doc:
    RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps

# Committed schemas are what the types say, and no change breaks a reader.
schemas:
    cargo test --locked --test contracts schemas

# The README's commands, word for word: the demo and all tests.
readme: demo tests

# The first of them. It compiles for minutes, and lets go before what runs beside it.
demo:
    nice .ci/readme 1

# The second.
tests:
    .ci/readme 2

# Unit, property and contract tests only: no Kafka, seconds.
quick:
    cargo test --locked --lib --test contracts

# The unsafe code under valgrind.
memory:
    tests/memory/run.sh

# Fuzzing: a minute for each target.
fuzz:
    tests/fuzz/run.sh

# What of window, count and detect can change without a test that fails; an hour.
mutants *args:
    tests/mutants/run.sh {{args}}

# Flows of real collectors through a real Kafka.
goflow2:
    tests/goflow2/run.sh

# Alert rules and dashboards: promtool, a real Prometheus and Alertmanager, staged incidents.
monitoring:
    tests/monitoring/run.sh

# The commands of docs/getting-started.md, word for word, on a real Kafka.
docs:
    tests/docs/run.sh

# Telemetry of real runs through a real OpenTelemetry Collector, and without one.
otel:
    tests/otel/run.sh

# The chart: what it renders, refuses, documents and takes over.
chart:
    tests/chart/run.sh

# The chart in a cluster with a real API server.
cluster:
    tests/cluster/run.sh

# The image, built and run as it should be, and the compose file. It compiles for minutes, and lets go as the demo does.
image:
    nice tests/image/run.sh

# The broker tests at full size.
endurance:
    cargo test --locked --test endurance

# Kills and worse while a load is counted, by seeded schedules: `just faults all` runs all ten, `--help` tells more.
faults *args='ci':
    tests/faults/run.sh {{args}}

# TLS, SASL and access control on a real Kafka; secrets and HTTP of the real binary: docs/security.md.
security:
    cargo test --locked --test security -- --test-threads 8

# What docs/performance.md has: the whole service beside librdkafka's limit and others, half an hour; `--help` says
# what can be chosen of it.
bench *args:
    cargo bench --locked --bench service -- {{args}}

# What a flow and an address cost in each pure step; names choose, `memory` prints what an address takes.
micro *args:
    cargo bench --locked --bench micro -- {{args}}

# Both benchmarks, each part once and unoptimised: no figure, but each step works.
bench-short:
    cargo bench --locked --profile dev --bench service -- --short
    cargo bench --locked --profile dev --bench micro -- --test

# What a release publishes, made and looked at: docs/releasing.md.
release:
    tests/release/run.sh

# All of it, as a merge needs it.
ci:
    .ci/run
