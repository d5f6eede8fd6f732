"""What `deploy/release/run` made, asserted: `check.py FOLDER`."""

import hashlib
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import tomllib
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
OUT = pathlib.Path(sys.argv.pop(1)).resolve()
# Not written out below: version.py looks for it in every file, this one included.
IMAGE = "ghcr.io/hotprefix/" + "hotprefix"
VERSION = tomllib.loads((ROOT / "Cargo.toml").read_text())["package"]["version"]
LOCKED = tomllib.loads((ROOT / "Cargo.lock").read_text())["package"]


def run(*command, **options):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, **options).stdout


def one(pattern):
    (found,) = OUT.glob(pattern)
    return found


class Release(unittest.TestCase):
    def test_every_file_has_its_checksum_and_no_other(self):
        sums = dict(reversed(line.split("  ")) for line in (OUT / "SHA256SUMS").read_text().splitlines())
        files = {path.name for path in OUT.iterdir()} - {"SHA256SUMS"}
        self.assertEqual(files, set(sums))
        for name, digest in sums.items():
            self.assertEqual(hashlib.sha256((OUT / name).read_bytes()).hexdigest(), digest, name)

    def test_there_is_a_tarball_a_bill_a_chart_and_notes(self):
        target = re.search(r"^host: (\S+)$", run("rustc", "-vV"), re.M)[1]
        name = f"hotprefix-{VERSION}-{target}"
        expected = {f"{name}.tar.gz", f"{name}.cdx.json", f"hotprefix-{VERSION}.tgz", "NOTES.md", "SHA256SUMS"}
        self.assertEqual({path.name for path in OUT.iterdir()}, expected)

    def test_notes_are_the_changelogs(self):
        notes = (OUT / "NOTES.md").read_text().strip()
        self.assertIn(notes, (ROOT / "CHANGELOG.md").read_text())
        self.assertNotIn("\n## ", notes)
        self.assertRegex(notes, r"^### (Added|Changed|Fixed)")


class Tarball(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        archive = one("hotprefix-*.tar.gz")
        cls.name = archive.name.removesuffix(".tar.gz")
        with tarfile.open(archive) as tar:
            cls.members = tar.getmembers()
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)
        run("tar", "-xzf", archive, "-C", cls.folder.name)
        cls.root = pathlib.Path(cls.folder.name) / cls.name

    def test_it_holds_what_an_operator_installs(self):
        files = {m.name.removeprefix(self.name + "/") for m in self.members if m.isfile()}
        wanted = {
            "bin/hotprefix", "etc/config.yaml", "README.md", "CHANGELOG.md", "LICENSE-APACHE", "LICENSE-MIT",
            "THIRD-PARTY-LICENCES.txt", "sbom/hotprefix.cdx.json", "man/man1/hotprefix.1", "man/man1/hotprefix-run.1",
            "completions/hotprefix.bash", "completions/_hotprefix", "completions/hotprefix.fish",
        }
        for folder, place in {"deploy/rules": "etc/rules", "proto": "proto", "schemas": "schemas", "docs": "docs"}.items():
            for name in run("git", "ls-files", folder, cwd=ROOT).split():
                wanted.add(place + name.removeprefix(folder))
        pages = {name for name in files if name.startswith("man/man1/hotprefix-")}
        self.assertEqual(wanted - files, set())
        self.assertEqual(files - wanted - pages, set())

    def test_nothing_tells_who_packed_it_or_when(self):
        epoch = int(run("git", "log", "-1", "--format=%ct", cwd=ROOT))
        for member in self.members:
            self.assertEqual((member.uid, member.gid, member.uname, member.gname, member.mtime), (0, 0, "", "", epoch), member.name)
            executable = member.isdir() or member.name.endswith("/bin/hotprefix")
            self.assertEqual(member.mode, 0o755 if executable else 0o644, member.name)
        names = [member.name for member in self.members]
        self.assertEqual(names[0], self.name)
        self.assertTrue(all(name.startswith(self.name + "/") for name in names[1:]))

    def test_the_binary_is_of_this_version_and_reads_the_rules_beside_it(self):
        binary = self.root / "bin/hotprefix"
        self.assertEqual(run(binary, "--version"), f"hotprefix {VERSION}\n")
        config = self.root / "etc/try.yaml"
        config.write_text('kafka: {bootstrap.servers: "127.0.0.1:9"}\ninput: {topics: [flows]}\nrule_files: [rules/*.yaml]\n')
        run(binary, "check", "--config", config)

    def test_pages_and_completions_name_the_commands(self):
        commands = re.findall(r"^  (\w+) ", run(self.root / "bin/hotprefix", "--help").partition("Commands:\n")[2].partition("\n\n")[0], re.M)
        self.assertIn("check", commands)
        for command in set(commands) - {"help"}:
            page = (self.root / f"man/man1/hotprefix-{command}.1").read_text()
            self.assertIn(f"hotprefix {VERSION}", page)
            for shell in self.root.glob("completions/*"):
                self.assertIn(command, shell.read_text(), shell.name)
        run("bash", "-n", self.root / "completions/hotprefix.bash")


class Bill(unittest.TestCase):
    def setUp(self):
        self.bill = json.loads(one("*.cdx.json").read_text())
        self.components = self.bill["components"]

    def test_it_lists_the_crates_of_the_lock_file_with_their_checksums(self):
        locked = {(p["name"], p["version"], p.get("checksum")) for p in LOCKED if p["name"] != "hotprefix"}
        listed = {
            (c["name"], c["version"], next((h["content"] for h in c.get("hashes", []) if h["alg"] == "SHA-256"), None))
            for c in self.components if c["purl"].startswith("pkg:cargo/")
        }
        self.assertEqual(listed, locked)
        self.assertEqual(self.bill["metadata"]["component"]["version"], VERSION)

    def test_it_names_the_c_libraries_that_the_binary_has(self):
        libraries = {c["name"]: c["version"] for c in self.components if not c["purl"].startswith("pkg:cargo/")}
        with tarfile.open(one("hotprefix-*.tar.gz")) as tar:
            binary = next(tar.extractfile(m).read() for m in tar if m.name.endswith("/bin/hotprefix"))
        symbols = {"openssl": "SSL_new", "librdkafka": "rd_kafka_new", "zstd": "ZSTD_decompress", "zlib": "inflate", "jemalloc": "sdallocx", "curl": "curl_easy_perform"}
        linked = {name for name, symbol in symbols.items() if f"\0{symbol}\0".encode() in binary}
        self.assertEqual(set(libraries), linked)
        self.assertTrue(f"OpenSSL {libraries['openssl']} ".encode() in binary)

    def test_what_only_builds_or_tests_is_excluded(self):
        scope = {c["name"]: c["scope"] for c in self.components}
        for name in ("tokio", "rdkafka", "axum", "prost"):
            self.assertEqual(scope[name], "required", name)
        for name in ("proptest", "prost-build", "serde_derive", "windows-sys"):
            self.assertEqual(scope[name], "excluded", name)

    def test_every_linked_component_is_among_the_licences(self):
        with tarfile.open(one("hotprefix-*.tar.gz")) as tar:
            text = next(tar.extractfile(m).read().decode() for m in tar if m.name.endswith("/THIRD-PARTY-LICENCES.txt"))
        for component in self.components:
            if component["scope"] == "required":
                self.assertRegex(text, rf"(?m)^{re.escape(component['name'])} {re.escape(component['version'])} ")
                self.assertTrue(component.get("licenses"), component["name"])


class Chart(unittest.TestCase):
    def test_helm_reads_it_and_it_is_the_folders(self):
        archive = one(f"hotprefix-{VERSION}.tgz")
        shown = run("helm", "show", "chart", archive)
        self.assertIn(f"version: {VERSION}\n", shown)
        self.assertIn(f"appVersion: {VERSION}\n", shown)
        with tarfile.open(archive) as tar:
            files = {m.name.removeprefix("hotprefix/") for m in tar if m.isfile()}
            templates = {name for name in files if name.startswith("templates/")}
        folder = ROOT / "deploy/helm/hotprefix"
        self.assertEqual(templates, {str(p.relative_to(folder)) for p in folder.rglob("templates/**/*") if p.is_file()})
        self.assertLessEqual({"Chart.yaml", "values.yaml", "values.schema.json"}, files)


class Versions(unittest.TestCase):
    """`version.py` in a tree of its own, in which something does not fit."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)
        for name in ("Cargo.toml", "Cargo.lock", "CHANGELOG.md", "deploy/release/version.py", "deploy/helm/hotprefix/Chart.yaml"):
            (self.root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, self.root / name)
        run("git", "init", "-q", cwd=self.root)

    def version(self, *tag):
        run("git", "add", "-A", cwd=self.root)
        command = [sys.executable, "deploy/release/version.py", "notes", *tag]
        return subprocess.run(command, cwd=self.root, capture_output=True, text=True)

    def edit(self, name, old, new):
        text = (self.root / name).read_text()
        self.assertIn(old, text)
        (self.root / name).write_text(text.replace(old, new, 1))

    def test_each_place_that_disagrees_is_named(self):
        self.edit("deploy/helm/hotprefix/Chart.yaml", f"appVersion: {VERSION}", "appVersion: 9.8.7")
        (self.root / "compose.yaml").write_text(f"image: {IMAGE}:9.8.6\n")
        done = self.version()
        self.assertEqual(done.returncode, 1)
        self.assertIn(f"Chart.yaml: appVersion is 9.8.7, not {VERSION} as in Cargo.toml", done.stderr)
        self.assertIn("compose.yaml: image is 9.8.6", done.stderr)

    def test_a_tag_needs_a_dated_heading_of_its_version(self):
        self.edit("CHANGELOG.md", "## [Unreleased]", "## [Unreleased]\n\n### Added\n\n- Later.\n\n## [next]")
        for heading, tag, complaint in [
            ("[next]", f"v{VERSION}", f"nothing under `## [{VERSION}]`"),
            (f"[{VERSION}]", f"v{VERSION}", "has no date"),
            (f"[{VERSION}] - 2026-01-02", "v9.8.7", f"the tag v9.8.7 is not v{VERSION}"),
        ]:
            text = (self.root / "CHANGELOG.md").read_text()
            (self.root / "CHANGELOG.md").write_text(re.sub(r"^## \[(?!Unreleased).*$", f"## {heading}", text, count=1, flags=re.M))
            done = self.version(tag)
            self.assertEqual(done.returncode, 1, heading)
            self.assertIn(complaint, done.stderr)
        self.assertEqual(self.version(f"v{VERSION}").stdout, f"{VERSION}\n")
        self.assertNotIn("Later.", (self.root / "notes").read_text())

    def test_a_dry_run_takes_what_is_unreleased(self):
        self.assertEqual(self.version().stdout, f"{VERSION}\n")
        self.edit("CHANGELOG.md", "## [Unreleased]", "## [0.0.1]")
        self.assertIn("nothing under `## [Unreleased]`", self.version().stderr)


if __name__ == "__main__":
    unittest.main()
