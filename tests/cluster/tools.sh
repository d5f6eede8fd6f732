#!/usr/bin/env bash
# Programs for the suites of chart and cluster, built from Go modules into target/tools/go/bin.
#
# Sourced: `go_tools NAME…` builds what is missing and puts all on PATH; `debian_etcd` does so for etcd.
# Run: builds the named ones, or all. .ci/run starts it in the background; whoever needs a program that is being
# built waits for it. tools/go.mod holds the versions: common ones of Kubernetes' modules, so that each package is
# compiled once for all programs.
# shellcheck shell=bash

CLUSTER_TOOLS=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# Not in go.mod: it needs an API that later versions of k8s.io/api have no more.
KUBE_SCORE=github.com/zegl/kube-score/cmd/kube-score@v1.20.0
# Quick to build first: chart needs these four, the others are for a cluster.
GO_TOOLS=(helm kubeconform kube-score helm-docs kubectl kwok kube-apiserver kube-controller-manager kube-scheduler)
# Compiled for one run, so not optimised and without debug information: 36 % less time.
GO_BUILD=(-gcflags='all=-N -l -dwarf=false')

go_package() {
    case $1 in
    helm) echo helm.sh/helm/v3/cmd/helm ;;
    helm-docs) echo github.com/norwoodj/helm-docs/cmd/helm-docs ;;
    kubeconform) echo github.com/yannh/kubeconform/cmd/kubeconform ;;
    kube-score) echo "$KUBE_SCORE" ;;
    kubectl | kube-apiserver | kube-controller-manager | kube-scheduler) echo "k8s.io/kubernetes/cmd/$1" ;;
    kwok) echo sigs.k8s.io/kwok/cmd/kwok ;;
    *)
        echo "tests/cluster/tools.sh: $1 is none of ${GO_TOOLS[*]}" >&2
        return 1
        ;;
    esac
}

# Linker flags. Kubernetes' own build sets versions alike; without them helm renders for Kubernetes 1.20 and the API
# server says that it is v0.0.0.
go_ldflags() {
    local version minor helm=helm.sh/helm/v3 base=k8s.io/component-base/version
    version=$(awk '$1 == "k8s.io/kubernetes" { print $2 }' "$CLUSTER_TOOLS/tools/go.mod")
    minor=${version#v1.}
    minor=${minor%.*}
    echo "-s -w -X $helm/pkg/chartutil.k8sVersionMajor=1 -X $helm/pkg/chartutil.k8sVersionMinor=$minor \
-X $helm/pkg/lint/rules.k8sVersionMajor=1 -X $helm/pkg/lint/rules.k8sVersionMinor=$minor \
-X $base.gitVersion=$version -X $base.gitMajor=1 -X $base.gitMinor=$minor"
}

target_tools() {
    (cd "$CLUSTER_TOOLS" && cargo metadata --format-version 1 --no-deps) |
        python3 -c 'import json, sys; print(json.load(sys.stdin)["target_directory"] + "/tools")'
}

# go_build FOLDER NAME: builds one program into FOLDER/bin.
go_build() {
    local package flags
    package=$(go_package "$2") || return 1
    command -v go >/dev/null || {
        echo "$2 is built from source and needs Go 1.26 or later: https://go.dev/dl" >&2
        return 1
    }
    if [[ $2 == kube-score ]]; then
        GOBIN=$1/bin go install "${GO_BUILD[@]}" -ldflags='-s -w' "$package"
    else
        flags=$(go_ldflags)
        go build -C "$CLUSTER_TOOLS/tools" "${GO_BUILD[@]}" -ldflags="$flags" -o "$1/bin/$2" "$package"
    fi
}

# go_tool FOLDER NAME: builds one program unless it is there in this version. No command here relies on errexit,
# which is off in a function whose failure the caller looks at.
go_tool() {
    local folder=$1 name=$2 stamp
    if [[ $name == kube-score ]]; then
        stamp=$folder/$name@${KUBE_SCORE##*@}
    else
        stamp=$folder/$name@$(cat "$CLUSTER_TOOLS"/tools/go.{mod,sum} | sha256sum | cut -c1-12)
    fi
    (
        flock 9 || exit 1
        if [[ ! -e $stamp ]]; then
            started=$SECONDS
            rm -f "$folder/$name"@*
            go_build "$folder" "$name" || exit 1
            touch "$stamp"
            echo "built $name in $((SECONDS - started)) s" >&2
        fi
    ) 9>"$folder/$name.lock"
}

go_tools() {
    local folder name
    folder=$(target_tools)/go || return 1
    mkdir -p "$folder/bin"
    for name in "$@"; do
        go_tool "$folder" "$name" || return 1
    done
    export PATH=$folder/bin:$PATH
}

# Debian's package, unpacked and not installed: it would start a service.
debian_etcd() {
    local root
    root=$(target_tools)/etcd || return 1
    mkdir -p "${root%/*}"
    (
        flock 9
        if [[ ! -x $root/usr/bin/etcd ]]; then
            rm -rf "$root" "$root.partial"
            mkdir -p "$root.partial" && cd "$root.partial" || exit 1
            fetch() { apt-get -qq -o APT::Sandbox::User=root download etcd-server; }
            # A bare machine has no package lists yet; to fetch them needs root.
            fetch || { apt-get -qq update && fetch; } || exit 1
            dpkg -x etcd-server_*.deb . && mv "$root.partial" "$root" || exit 1
        fi
    ) 9>"$root.lock" || return 1
    export PATH=$root/usr/bin:$PATH
}

if [[ ${BASH_SOURCE[0]} == "$0" ]]; then
    set -euo pipefail
    if (($# == 0)); then
        set -- "${GO_TOOLS[@]}"
    fi
    go_tools "$@"
fi
