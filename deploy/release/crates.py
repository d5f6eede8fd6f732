"""What a release is made of: the crates of Cargo.lock, and the C libraries that come inside some of them."""

import json
import os
import pathlib
import re
import subprocess
import tomllib

ROOT = pathlib.Path(__file__).resolve().parents[2]


class Crate:
    """A package of Cargo.lock. `linked`: part of the binary; otherwise it is for building, for tests, or for other targets."""

    def __init__(self, locked, package, linked):
        self.name = locked["name"]
        self.version = locked["version"]
        self.sha256 = locked.get("checksum")
        self.linked = linked
        self.package = package or {}
        manifest = self.package.get("manifest_path")
        self.folder = pathlib.Path(manifest).parent if manifest else None
        # Crates before SPDX expressions wrote `MIT/Apache-2.0`.
        self.licence = (self.package.get("license") or "").replace("/", " OR ")

    @property
    def key(self):
        return f"{self.name}@{self.version}"


class Library:
    """A C library whose source a crate brings and compiles into the binary."""

    def __init__(self, name, version, crate, licence, purl, cpe, files):
        self.name, self.version, self.crate, self.licence = name, version, crate, licence
        self.purl = purl.format(version=version)
        self.cpe = cpe and f"cpe:2.3:a:{cpe}:{version}:*:*:*:*:*:*:*"
        self.files = files


# Crate, how its version or source names the library's, licence, package URL, CPE, licence files in the crate.
LIBRARIES = [
    ("openssl-src", "openssl", r"\+(.+)", "Apache-2.0", "pkg:generic/openssl@{version}", "openssl:openssl", ["openssl/LICENSE.txt"]),
    ("rdkafka-sys", "librdkafka", r"\+(.+)", "BSD-2-Clause", "pkg:github/confluentinc/librdkafka@v{version}", None, ["librdkafka/LICENSES.txt"]),
    ("zstd-sys", "zstd", r"\+zstd\.(.+)", "BSD-3-Clause", "pkg:github/facebook/zstd@v{version}", "facebook:zstandard", ["zstd/LICENSE"]),
    ("libz-sys", "zlib", "src/zlib/zlib.h", "Zlib", "pkg:generic/zlib@{version}", "zlib:zlib", ["src/zlib/LICENSE"]),
    ("tikv-jemalloc-sys", "jemalloc", r"\+(\d+\.\d+\.\d+)", "BSD-2-Clause", "pkg:github/jemalloc/jemalloc@{version}", None, ["jemalloc/COPYING"]),
]


def metadata(target):
    """cargo's view of one target: only that target's crates are asked for, and so need be there."""
    command = ["cargo", "metadata", "--locked", "--format-version", "1", "--filter-platform", target]
    return json.loads(subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE).stdout)


def host():
    """The target triple of the compiler's own machine."""
    version = subprocess.run(["rustc", "-vV"], cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout
    return re.search(r"^host: (\S+)$", version, re.M)[1]


def epoch():
    """Seconds since 1970 of the release: SOURCE_DATE_EPOCH, or when the last commit was made."""
    given = os.environ.get("SOURCE_DATE_EPOCH")
    if given is None:
        given = subprocess.run(["git", "log", "-1", "--format=%ct"], cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout
    return int(given)


def load(target):
    """All crates of Cargo.lock by `name@version`, with ours first, and the dependencies of each."""
    view = metadata(target)
    packages = {package["id"]: package for package in view["packages"]}
    nodes = {node["id"]: node for node in view["resolve"]["nodes"]}
    root = view["resolve"]["root"]
    linked = reachable(root, nodes, packages)
    by_key = {f"{p['name']}@{p['version']}": p for p in view["packages"]}
    locked = tomllib.loads((ROOT / "Cargo.lock").read_text())["package"]
    crates, edges = {}, {}
    for entry in sorted(locked, key=lambda e: (e["name"] != packages[root]["name"], e["name"], e["version"])):
        package = by_key.get(f"{entry['name']}@{entry['version']}")
        crate = Crate(entry, package, bool(package) and package["id"] in linked)
        crates[crate.key] = crate
        edges[crate.key] = [full_key(name, locked) for name in entry.get("dependencies", [])]
    return crates, edges


def reachable(root, nodes, packages):
    """What ends up in the binary: normal dependencies, but not macros, which run at build time, nor what only they need."""
    seen, todo = set(), [root]
    while todo:
        one = todo.pop()
        if one in seen or any("proc-macro" in target["kind"] for target in packages[one]["targets"]):
            continue
        seen.add(one)
        for dependency in nodes[one]["deps"]:
            if any(kind["kind"] is None for kind in dependency["dep_kinds"]):
                todo.append(dependency["pkg"])
    return seen


def full_key(name, locked):
    """Cargo.lock gives a dependency's version only where there are two."""
    parts = name.split(" ")
    if len(parts) == 1:
        parts.append(next(entry["version"] for entry in locked if entry["name"] == name))
    return f"{parts[0]}@{parts[1]}"


def libraries(crates):
    """The C libraries in the binary. A crate that no longer says which version it brings is an error."""
    found = []
    for crate_name, name, version, licence, purl, cpe, files in LIBRARIES:
        crate = next((c for c in crates.values() if c.name == crate_name), None)
        if crate is None:
            raise SystemExit(f"deploy/release: no crate {crate_name} in Cargo.lock: take {name} out of LIBRARIES")
        if crate.folder is None:
            # Another target's.
            continue
        if version.startswith("src/"):
            match = re.search(r'#define ZLIB_VERSION "([^"]+)"', (crate.folder / version).read_text())
        else:
            match = re.search(version, crate.version)
        if match is None:
            raise SystemExit(f"deploy/release: {crate.key} does not name the version of its {name}")
        found.append(Library(name, match[1], crate, licence, purl, cpe, files))
    return found
