#!/usr/bin/env bash
# The chart in a Kubernetes cluster: real etcd, API server, controllers and scheduler, and nodes that run nothing.
# Helm installs, upgrades, rolls back and removes each example in a namespace that enforces Pod Security "restricted".
# Arguments are the names of the examples to try; default: all, and the bad values.
#
# Builds Kubernetes' programs, kwok and Helm with Go (tools.sh), takes etcd from Debian. Needs Go 1.26, python3, setpriv.
set -euo pipefail
cd "$(dirname "$0")/../.."

# Both are Go modules that contain the definitions of their resources.
readonly PROMETHEUS_OPERATOR=github.com/prometheus-operator/prometheus-operator@v0.85.0
readonly KEDA=github.com/kedacore/keda/v2@v2.21.0

# shellcheck source=tests/cluster/tools.sh
. tests/cluster/tools.sh
go_tools helm kubectl kwok kube-apiserver kube-controller-manager kube-scheduler
debian_etcd

# module_files MODULE FILE…: copies files of a module to target/tools/crds.
module_files() {
    local module=$1 folder file
    shift
    folder=$(go mod download -json "$module" | python3 -c 'import json, sys; print(json.load(sys.stdin)["Dir"])')
    for file in "$@"; do
        install -m 644 "$folder/$file" "$crds/"
    done
}

crds=$(target_tools)/crds
if [[ ! -e $crds/$(sha256sum <<<"$PROMETHEUS_OPERATOR $KEDA" | cut -c1-12) ]]; then
    rm -rf "$crds"
    mkdir -p "$crds"
    module_files "$PROMETHEUS_OPERATOR" \
        example/prometheus-operator-crd/monitoring.coreos.com_{podmonitors,servicemonitors,prometheusrules}.yaml
    module_files "$KEDA" config/crd/bases/keda.sh_{scaledobjects,triggerauthentications}.yaml
    touch "$crds/$(sha256sum <<<"$PROMETHEUS_OPERATOR $KEDA" | cut -c1-12)"
fi

export HOTPREFIX_TEST_CRDS=$crds PYTHONDONTWRITEBYTECODE=1
exec python3 tests/cluster/suite.py "$@"
