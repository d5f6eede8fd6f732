#!/usr/bin/env bash
# Rules and dashboards against the real thing: promtool checks and tests the rules; then a real Prometheus
# scrapes hotprefix on a real Kafka, a real Alertmanager gets its alerts, and incidents are staged.
#
# Fetches Prometheus and Alertmanager (Debian) into target/tools, once. Needs the programs themselves, or
# apt-get, dpkg and python3; the test needs Java 17 and Maven.
set -euo pipefail
cd "$(dirname "$0")/../.."

target=$(cargo metadata --format-version 1 --no-deps | python3 -c 'import json,sys; print(json.load(sys.stdin)["target_directory"])')
root=$target/tools/prometheus-2.42.0-alertmanager-0.25.0

# Unpacked and not installed: the packages would start services.
fetch_debian() {
    local partial=$root.partial
    if ! { command -v apt-get && command -v dpkg; } >/dev/null; then
        echo "tests/monitoring/run.sh needs prometheus, promtool, alertmanager and amtool: install Prometheus and Alertmanager" >&2
        exit 1
    fi
    rm -rf "$partial"
    mkdir -p "$partial/packages"
    download() (cd "$partial/packages" && apt-get -qq -o APT::Sandbox::User=root download prometheus prometheus-alertmanager)
    # A bare machine has no package lists yet; to fetch them needs root.
    download || { apt-get -qq update && download; }
    for package in "$partial"/packages/*.deb; do
        dpkg -x "$package" "$partial"
    done
    rm -rf "$partial/packages"
    relocate "$partial"
    mv "$partial" "$root"
}

# Debian's Alertmanager opens its templates where the package would install them, and does not start without:
# here that path becomes one of the same length that means the folder it is started in.
relocate() {
    python3 - "$1/usr/bin/prometheus-alertmanager" <<'END'
import sys
program = sys.argv[1]
installed = b"/usr/share/prometheus/alertmanager"
here = b"./" * (len(installed) // 2)
assert len(here) == len(installed)
with open(program, "rb") as file:
    code = file.read()
if installed not in code:
    sys.exit(f"{program}: no {installed.decode()} in it")
with open(program, "wb") as file:
    file.write(code.replace(installed, here))
END
    cat >"$1/alertmanager" <<'END'
#!/bin/sh
cd "$(dirname "$0")/usr/share/prometheus/alertmanager" && exec ../../../bin/prometheus-alertmanager "$@"
END
    chmod +x "$1/alertmanager"
}

prometheus=$(command -v prometheus || true)
alertmanager=$(command -v prometheus-alertmanager || command -v alertmanager || true)
if [[ -n $prometheus && -n $alertmanager ]] && command -v promtool >/dev/null && command -v amtool >/dev/null; then
    promtool=promtool
    amtool=amtool
else
    [[ -d $root ]] || fetch_debian
    prometheus=$root/usr/bin/prometheus
    alertmanager=$root/alertmanager
    promtool=$root/usr/bin/promtool
    amtool=$root/usr/bin/amtool
fi

"$promtool" check rules deploy/prometheus/rules.yaml
"$promtool" test rules deploy/prometheus/rules_test.yaml
"$amtool" check-config deploy/prometheus/alertmanager.yaml

export HOTPREFIX_TEST_PROMETHEUS=$prometheus HOTPREFIX_TEST_ALERTMANAGER=$alertmanager
exec cargo test --quiet --test monitoring "$@"
