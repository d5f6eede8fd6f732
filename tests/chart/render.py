"""Runs helm on the chart and its examples; `render.py --update` rewrites what is generated from them."""

import subprocess
import sys
from functools import cache
from pathlib import Path

import yaml

import sync

ROOT = sync.ROOT
CHART = sync.CHART
EXAMPLES = sorted(path.parent for path in (sync.HELM / "examples").glob("*/values.yaml"))
# What `helm template` assumes of the cluster: the newest Kubernetes that the suite knows.
KUBERNETES = "1.37.0"


def run(*command, **options):
    """The finished process; output as text."""
    return subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False, **options)


def template(*arguments):
    """`helm template` as the committed examples are made."""
    return run("helm", "template", "hotprefix", CHART, "--namespace=flows", f"--kube-version={KUBERNETES}", *arguments)


@cache
def rendered(example):
    """The text that an example renders to now."""
    result = template("--values", example / "values.yaml")
    if result.returncode != 0:
        raise AssertionError(f"{example.name}: {result.stderr}")
    return result.stdout


def objects(text):
    """The objects of a rendered text."""
    return [document for document in yaml.safe_load_all(text) if document]


def readme():
    """README.md as helm-docs makes it; fails where a value has no comment."""
    # Its strict mode knows only comments that repeat the name of the value.
    options = ("--sort-values-order=file", "--log-level=warning")
    result = run("helm-docs", f"--chart-search-root={CHART}", "--dry-run", *options)
    rows = [line for line in result.stdout.splitlines() if line.startswith("| ")]
    undocumented = [row for row in rows if row.endswith("|  |")]
    if result.returncode != 0 or result.stderr or undocumented or len(rows) < 100:
        raise AssertionError("\n".join([result.stderr, f"{len(rows)} values, and without a comment:", *undocumented]))
    return result.stdout


def update():
    """Writes all that is generated."""
    sync.update()
    (CHART / "README.md").write_text(readme())
    for example in EXAMPLES:
        (example / "rendered.yaml").write_text(rendered(example))


if __name__ == "__main__":
    if sys.argv[1:] != ["--update"]:
        sys.exit("valid is render.py --update")
    update()
