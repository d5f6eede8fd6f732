"""What the chart renders: as committed, valid for Kubernetes and for the operators, accepted by hotprefix."""

import json
import os
import re
import tempfile
import unittest
from pathlib import Path

import kubernetes_validate
import yaml

from render import CHART, EXAMPLES, KUBERNETES, ROOT, objects, rendered, run, template

OPERATORS = {
    "kafka.strimzi.io/v1": "strimzi-kafka-operator",
    "keda.sh/v1alpha1": "keda",
    "monitoring.coreos.com/v1": "prometheus-operator",
}
# Checks of kube-score that are not for us, each with the reason.
KUBE_SCORE_IGNORED = {
    # A tag of ours never changes, and a start must not need the registry; `image.digest` is there for more.
    "container-image-pull-policy",
}
# A limit on CPU would throttle a pod that catches up; memory is limited.
KUBE_SCORE_OPTIONS = ["--ignore-container-cpu-limit"]


class Rendered(unittest.TestCase):
    """Each test goes over every example."""

    maxDiff = None

    def test_there_are_six_examples(self):
        self.assertGreaterEqual(len(EXAMPLES), 6)

    def test_examples_render_to_what_is_committed(self):
        for example in EXAMPLES:
            with self.subTest(example.name):
                committed = (example / "rendered.yaml").read_text()
                self.assertEqual(rendered(example), committed, "tests/chart/run.sh --update rewrites it")

    def test_lint_finds_nothing(self):
        for example in EXAMPLES:
            with self.subTest(example.name):
                result = run("helm", "lint", "--strict", "--quiet", CHART, "--values", example / "values.yaml")
                self.assertEqual(result.returncode, 0, result.stdout + result.stderr)

    def test_yaml_is_well_formed(self):
        files = [CHART / "values.yaml", CHART / "Chart.yaml", CHART.parent / "values.schema.yaml"]
        files += [example / name for example in EXAMPLES for name in ("values.yaml", "rendered.yaml")]
        result = run("yamllint", "--strict", "-c", ROOT / "tests/chart/yamllint.yaml", *files)
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)

    def test_kubernetes_knows_every_field(self):
        for example in EXAMPLES:
            with self.subTest(example.name):
                with tempfile.TemporaryDirectory() as folder:
                    paths = []
                    for i, document in enumerate(objects(rendered(example))):
                        if document["apiVersion"] not in OPERATORS:
                            paths.append(Path(folder, f"{i}.yaml"))
                            paths[-1].write_text(yaml.safe_dump(document))
                    result = run("kubernetes-validate", "-k", KUBERNETES, "--strict", *paths)
                self.assertEqual(result.returncode, 0, result.stdout + result.stderr)

    def test_kubeconform_agrees(self):
        everything = [d for example in EXAMPLES for d in objects(rendered(example))]
        others = [d for example in EXAMPLES for d in custom(example)]
        kinds = {d["kind"] for d in everything if d not in others}
        with tempfile.TemporaryDirectory() as folder:
            location = offline_schemas(kinds, Path(folder))
            skipped = ",".join(sorted({d["kind"] for d in others}))
            options = ["-strict", "-summary", "-output=json", f"-schema-location={location}", f"-skip={skipped}"]
            result = run("kubeconform", *options, *(example / "rendered.yaml" for example in EXAMPLES))
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        summary = json.loads(result.stdout)["summary"]
        self.assertEqual((summary["valid"], summary["skipped"]), (len(everything) - len(others), len(others)))

    def test_operators_know_every_field(self):
        documents = [(example.name, d) for example in EXAMPLES for d in custom(example)]
        kinds = {d["kind"] for _, d in documents}
        self.assertGreaterEqual(
            kinds,
            {"KafkaTopic", "KafkaUser", "ScaledObject", "TriggerAuthentication", "PodMonitor", "ServiceMonitor", "PrometheusRule"},
        )
        result = check_custom(documents)
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)

    def test_operators_check_can_fail(self):
        topic = {"apiVersion": "kafka.strimzi.io/v1", "kind": "KafkaTopic", "metadata": {"name": "t"}}
        for spec, said in [({"partition": 3}, "partition"), ({"partitions": 0.5}, "must be integer")]:
            result = check_custom([("bad", topic | {"spec": spec})])
            self.assertNotEqual(result.returncode, 0)
            self.assertIn(said, result.stdout + result.stderr)

    def test_kube_score_has_no_objection(self):
        ignored = [f"--ignore-test={name}" for name in sorted(KUBE_SCORE_IGNORED)]
        for example in EXAMPLES:
            with self.subTest(example.name):
                command = ["kube-score", "score", "--kubernetes-version=v1.37", *KUBE_SCORE_OPTIONS, *ignored]
                result = run(*command, "--exit-one-on-warning", example / "rendered.yaml")
                self.assertEqual(result.returncode, 0, result.stdout + result.stderr)

    def test_hotprefix_accepts_the_configuration(self):
        for example in EXAMPLES:
            with self.subTest(example.name):
                with tempfile.TemporaryDirectory() as folder:
                    result = hotprefix_check(objects(rendered(example)), Path(folder))
                self.assertEqual(result.returncode, 0, result.stderr)

    def test_files_of_sets_change_without_a_restart(self):
        def pods(key, items):
            files = json.dumps({"borders.txt": items})
            result = template("--set=kafka.bootstrapServers=k:9092", "--set-json", f"{key}={files}")
            self.assertEqual(result.returncode, 0, result.stderr)
            workloads = [d for d in objects(result.stdout) if d["kind"] in ("StatefulSet", "Deployment")]
            return [workload["spec"]["template"] for workload in workloads]

        for key, restarts in [("setFiles", False), ("files", True)]:
            with self.subTest(key):
                before, after = (pods(key, items) for items in ("192.0.2.1", "192.0.2.2"))
                self.assertEqual(before != after, restarts)

    def test_hotprefix_refuses_a_wrong_rule(self):
        rule = '[{"name": "a", "filter": "no_such_field == 1", "thresholds": {"bytes": "1GiB"}}]'
        result = template("--set=kafka.bootstrapServers=k:9092", "--set-json", f"rules={rule}")
        self.assertEqual(result.returncode, 0, result.stderr)
        with tempfile.TemporaryDirectory() as folder:
            result = hotprefix_check(objects(result.stdout), Path(folder))
        self.assertEqual(result.returncode, 2)
        self.assertIn("no_such_field", result.stderr)


def custom(example):
    """The objects of an example that an operator defines."""
    return [d for d in objects(rendered(example)) if d["apiVersion"] in OPERATORS]


def offline_schemas(kinds, folder):
    """Kubernetes' schemas of these kinds as kubeconform wants them, each with no more definitions than it uses, since
    it compiles them all; returns its -schema-location."""
    source = Path(kubernetes_validate.__file__).parent / f"kubernetes-json-schema/v{KUBERNETES}-local-strict"
    reference = re.compile(r'"(?:/api/)?(?:_definitions\.json)?#/\$defs/([^"]+)"')
    definitions = json.loads((source / "_definitions.json").read_text())["$defs"]
    texts = {name: json.dumps(definition) for name, definition in definitions.items()}
    for path in source.glob("*.json"):
        if path.stem.split("-")[0] not in {kind.lower() for kind in kinds}:
            continue
        schema = json.loads(path.read_text())
        schema.pop("$id", None)
        found, new = set(), set(reference.findall(json.dumps(schema)))
        while new:
            found |= new
            new = {name for used in new for name in reference.findall(texts[used])} - found
        schema["$defs"] = {name: definitions[name] for name in found}
        (folder / path.name).write_text(reference.sub(r'"#/$defs/\1"', json.dumps(schema)))
    return f"{folder}/{{{{.ResourceKind}}}}{{{{.KindSuffix}}}}.json"


def check_custom(documents):
    """Types of the operators (no unknown field), then their validators (values). In: (name, object) pairs."""
    node = Path(os.environ["HOTPREFIX_CHART_NODE"])
    lines = []
    for i, (name, document) in enumerate(documents):
        kind, version = document["kind"], document["apiVersion"]
        lines.append(f'import {{ {kind} as K{i}, I{kind} as I{i} }} from "@kubernetes-models/{OPERATORS[version]}/{version}/{kind}";')
        lines.append(f"const d{i}: I{i} = {json.dumps(document)};")
        lines.append(f"try {{ new K{i}(d{i}).validate(); }} catch (e) {{ throw `{name} {kind}: ${{e}}`; }}")
    (node / "check.mts").write_text("\n".join(lines) + "\n")
    options = "--strict --skipLibCheck --target es2022 --module nodenext --outDir out".split()
    result = run("node", "node_modules/typescript/bin/tsc", *options, "check.mts", cwd=node)
    return result if result.returncode else run("node", "out/check.mjs", cwd=node)


def hotprefix_check(documents, folder):
    """`hotprefix check` with the files and variables that the first workload's container would have."""
    workload = next(d for d in documents if d["kind"] in ("StatefulSet", "Deployment"))
    spec = workload["spec"]["template"]["spec"]
    maps = {d["metadata"]["name"]: d["data"] for d in documents if d["kind"] == "ConfigMap"}
    here = lambda text: re.sub(r"/etc/hotprefix(?=[-/])", f"{folder}/etc/hotprefix", text)

    def write(path, text):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(here(text))

    for volume in spec["volumes"]:
        for source in volume.get("projected", {}).get("sources", []):
            kind, source = next(iter(source.items()))
            for item in source["items"]:
                text = maps[source["name"]][item["key"]] if kind == "configMap" else SECRET
                write(folder / "etc/hotprefix" / item["path"], text)
        if "configMap" in volume:
            # One that exists already, so that the chart does not know what is in it.
            write(folder / "etc/hotprefix-rules" / volume["configMap"]["name"] / "rule.yaml", FOREIGN_RULE)
    container = next(c for c in spec["containers"] if c["name"] == "hotprefix")
    variables = {e["name"]: here(e.get("value", SECRET)) for e in container["env"]}
    config = next(a for a in container["args"] if a.startswith("--config="))
    # Nothing of this machine's own environment may decide.
    return run(os.environ["HOTPREFIX"], "check", here(config), env=variables)


# A value for whatever comes from a Secret: also of headers, which are pairs.
SECRET = "name=value"
FOREIGN_RULE = "{name: foreign, thresholds: {bytes: 1GiB}}"

if __name__ == "__main__":
    unittest.main()
