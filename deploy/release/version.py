"""Prints the version if every file agrees on it, and writes its part of the changelog: `version.py NOTES [TAG]`.

Without a tag this is a dry run, which takes `Unreleased` while the changelog has no heading of the version. With a tag
the heading must be there, with a date, and the tag must be the version's.
"""

import pathlib
import re
import subprocess
import sys
import tomllib

ROOT = pathlib.Path(__file__).resolve().parents[2]
IMAGE = re.compile(r"ghcr\.io/hotprefix/hotprefix:(\d[\w.+-]*)")


def places(version):
    """Each place that repeats the version, with what stands there. The package's own is the one that counts."""
    for package in tomllib.loads((ROOT / "Cargo.lock").read_text())["package"]:
        if package["name"] == "hotprefix":
            yield "Cargo.lock", package["version"]
    chart = ROOT / "deploy/helm/hotprefix/Chart.yaml"
    if chart.exists():
        for key in ("version", "appVersion"):
            yield f"{chart.relative_to(ROOT)}: {key}", yaml_value(chart, key)
    asyncapi = ROOT / "schemas/asyncapi.yaml"
    if asyncapi.exists():
        yield f"{asyncapi.relative_to(ROOT)}: info.version", yaml_value(asyncapi, "  version")
    listed = subprocess.run(["git", "grep", "-lI", "ghcr.io/hotprefix/hotprefix:"], cwd=ROOT, stdout=subprocess.PIPE, text=True).stdout
    for name in listed.split():
        for found in IMAGE.findall((ROOT / name).read_text()):
            yield f"{name}: image", found


def yaml_value(path, key):
    match = re.search(rf"""^{key}: *["']?([^"'\s#]+)""", path.read_text(), re.M)
    return match[1] if match else "nothing"


def sections(text):
    """The changelog's parts by heading: `0.1.0` or `Unreleased`, each with its date or None and its text."""
    found = {}
    parts = re.split(r"^## \[([^\]]+)\](?: - (\d{4}-\d{2}-\d{2}))?[ \t]*$", text, flags=re.M)
    for name, date, body in zip(parts[1::3], parts[2::3], parts[3::3]):
        # What follows the last part are the targets of the headings' links.
        found[name] = (date, re.sub(r"^\[[^\]]+\]: \S+$", "", body, flags=re.M).strip())
    return found


def notes(version, tag):
    """The changelog's part for this version, or what is wrong with it."""
    changelog = sections((ROOT / "CHANGELOG.md").read_text())
    if version not in changelog and tag is None:
        version = "Unreleased"
    date, body = changelog.get(version, (None, ""))
    if not body:
        return None, f"CHANGELOG.md: nothing under `## [{version}]`"
    if version != "Unreleased" and date is None:
        return None, f"CHANGELOG.md: `## [{version}]` has no date: `## [{version}] - YYYY-MM-DD`"
    return body, None


def main():
    path, tag = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else None
    version = tomllib.loads((ROOT / "Cargo.toml").read_text())["package"]["version"]
    wrong = [f"{place} is {found}, not {version} as in Cargo.toml" for place, found in places(version) if found != version]
    if tag is not None and tag != f"v{version}":
        wrong.append(f"the tag {tag} is not v{version}")
    body, complaint = notes(version, tag)
    if complaint:
        wrong.append(complaint)
    if wrong:
        raise SystemExit("\n".join(wrong))
    pathlib.Path(path).write_text(body + "\n")
    print(version)


if __name__ == "__main__":
    main()
