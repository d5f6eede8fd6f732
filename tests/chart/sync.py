"""What the chart takes over from elsewhere in the repository: rules, alert rules and dashboards as files, and the
service's configuration schema inside values.schema.json. `sync.py` says what differs, `sync.py --update` writes it."""

import json
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
HELM = ROOT / "deploy/helm"
CHART = HELM / "hotprefix"


def copies():
    """Path in the chart → path of the original."""
    folders = [
        ("files/rules", ROOT / "deploy/rules", "*.yaml"),
        # Tests of the rules stay where they are.
        ("files/prometheus", ROOT / "deploy/prometheus", "rules*.yaml"),
        ("files/grafana", ROOT / "deploy/grafana", "*.json"),
    ]
    return {
        CHART / folder / original.name: original
        for folder, originals, pattern in folders
        for original in sorted(originals.glob(pattern))
        if not original.name.endswith("_test.yaml")
    }


def plain(node):
    """The same schema in a form whose violations read well: `enum` for a choice of constants, and no `null`, which
    Helm drops from values."""
    if isinstance(node, list):
        return [plain(item) for item in node]
    if not isinstance(node, dict):
        return node
    choices = node.get("oneOf", [])
    if choices and all("const" in choice for choice in choices):
        rest = {key: value for key, value in node.items() if key != "oneOf"}
        return rest | {"enum": [choice["const"] for choice in choices]}
    others = [choice for choice in node.get("anyOf", []) if choice != {"type": "null"}]
    if "anyOf" in node and len(others) == 1:
        rest = {key: value for key, value in node.items() if key != "anyOf"}
        return plain(others[0] | rest)
    return {key: plain(value) for key, value in node.items()}


def schema():
    """The text of values.schema.json."""
    values = yaml.safe_load((HELM / "values.schema.yaml").read_text())
    config = plain(json.loads((ROOT / "schemas/config.v1.schema.json").read_text()))
    values["$defs"] |= config["$defs"]
    # A template refuses these, and says what to set instead.
    for ours in ("instance_id", "rules", "http", "membership"):
        config["properties"][ours] = {"description": "Not here: the chart sets it."}
    wanted = ("type", "additionalProperties", "properties")
    values["$defs"]["Configuration"] = {key: config[key] for key in wanted}
    return json.dumps(values, indent=2, ensure_ascii=False) + "\n"


def wanted():
    """Path → bytes of every file that is taken over."""
    files = {ours: original.read_bytes() for ours, original in copies().items()}
    files[CHART / "values.schema.json"] = schema().encode()
    return files


def differences():
    """One line for each file that is not as it should be."""
    files = wanted()
    wrong = [
        f"{path.relative_to(ROOT)} is not what it is taken from; tests/chart/run.sh --update writes it"
        for path, content in files.items()
        if not path.is_file() or path.read_bytes() != content
    ]
    for stray in sorted((CHART / "files").rglob("*.*")):
        if stray not in files:
            wrong.append(f"{stray.relative_to(ROOT)} has no original any more")
    return wrong


def update():
    """Writes all of them, and removes what has no original."""
    files = wanted()
    for path, content in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    for stray in (CHART / "files").rglob("*.*"):
        if stray not in files:
            stray.unlink()


if __name__ == "__main__":
    if sys.argv[1:] == ["--update"]:
        update()
    wrong = differences()
    print("\n".join(wrong))
    sys.exit(1 if wrong else 0)
