#!/usr/bin/env bash
# src/kafka/queue.rs, the unsafe module, under valgrind: its unit tests with every read, write and free checked, and what is
# never freed. librdkafka, which it calls, is checked with it. Needs valgrind (Debian has it).
set -euo pipefail
cd "$(dirname "$0")/../.."

tests=$(cargo test --locked --lib --no-run --message-format json |
    python3 -c 'import json, sys
built = (json.loads(line) for line in sys.stdin)
print(*(one["executable"] for one in built if one.get("executable") and one["target"]["name"] == "hotprefix"))')

# Some memory of OpenSSL and of the test harness can still be reached at the end; what cannot is lost, and an error.
valgrind --quiet --error-exitcode=9 --leak-check=full --show-leak-kinds=definite --errors-for-leak-kinds=definite \
    --suppressions=tests/memory/valgrind.supp "$tests" kafka::queue:: --test-threads 1
