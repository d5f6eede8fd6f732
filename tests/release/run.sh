#!/usr/bin/env bash
# A release without publishing it: makes everything twice, the second time as another user of another machine
# might, and looks at what came out.
#
# Builds Helm into target/tools, once. Needs cargo with a C and C++ compiler, Go, Python 3.11, git and GNU tar.
# `tests/release/run.sh --binary PATH` packs that binary instead of building one.
set -euo pipefail
cd "$(dirname "$0")/../.."

# shellcheck source=tests/cluster/tools.sh
. tests/cluster/tools.sh
go_tools helm

deploy/release/run "$@"
first=target/release-dry-run.first
rm -rf "$first"
mv target/release-dry-run "$first"
# Git keeps no times: another checkout has others.
touch LICENSE-* README.md CHANGELOG.md
(umask 077 && TZ=Pacific/Chatham LC_ALL=C deploy/release/run "$@" >/dev/null)
diff --recursive "$first" target/release-dry-run
rm -rf "$first"

exec python3 tests/release/check.py target/release-dry-run
