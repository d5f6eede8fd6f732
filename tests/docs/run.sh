#!/usr/bin/env bash
# The commands of docs/getting-started.md as they stand there, from a real Kafka to the end: every line of its `sh`
# blocks below "A real Kafka", in one shell. (The build and the demo above are the README's, see .ci/readme.)
#
# In a network of its own, since the page uses Kafka's usual ports. Needs Java 17, Maven, curl, python3 and unshare.
set -euo pipefail
cd "$(dirname "$0")/../.."

if [[ ${1:-} != inside ]]; then
    for program in java mvn curl python3 unshare; do
        command -v "$program" >/dev/null || {
            echo "tests/docs/run.sh needs $program" >&2
            exit 1
        }
    done
    target=$(cargo metadata --format-version 1 --no-deps | python3 -c 'import json,sys; print(json.load(sys.stdin)["target_directory"])')
    cargo build --quiet --locked
    work=$target/docs-tour
    rm -rf "$work"
    mkdir -p "$work"
    ln -s "$PWD/tests" "$work/tests"
    # Without a network Maven finds what it fetched here.
    mvn -q -B -f tests/support/kafka/pom.xml dependency:copy-dependencies \
        "-DoutputDirectory=$work/fetched" -DincludeScope=runtime
    rm -rf "$work/fetched"
    user=()
    [[ $(id -u) == 0 ]] || user=(--map-root-user)
    export PATH=$target/debug:$PATH TOUR_WORK=$work
    # Its own process namespace: whatever is left in the background ends with it.
    exec timeout 300 unshare "${user[@]}" --net --pid --fork --kill-child --mount-proc "$0" inside
fi

# Loopback is down in a new network. As `ip link set lo up` does, which a bare machine has not.
python3 -c 'import fcntl, socket, struct
fcntl.ioctl(socket.socket(), 0x8914, struct.pack("16sh", b"lo", 0x49))'
{
    echo 'set -euo pipefail'
    awk '/^## A real Kafka/ { on = 1 } on && /^```sh$/ { inside = 1; next } /^```$/ { inside = 0 } inside' docs/getting-started.md
} > "$TOUR_WORK/commands"
(($(wc -l < "$TOUR_WORK/commands") > 40)) || {
    echo "docs/getting-started.md: its sh blocks have fewer commands than there were" >&2
    exit 1
}
cd "$TOUR_WORK"
bash -v ./commands
