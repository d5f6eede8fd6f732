"""The chart's values: documented, in the schema, refused when wrong; and what the chart says twice is the same twice."""

import json
import re
import shutil
import tempfile
import unittest
from pathlib import Path

import yaml

import sync
from render import CHART, ROOT, objects, readme, run, template

SET = "--set=kafka.bootstrapServers=k:9092"


class Values(unittest.TestCase):
    maxDiff = None

    def test_copies_and_schema_are_current(self):
        self.assertEqual(sync.differences(), [])

    def test_readme_is_current_and_every_value_documented(self):
        self.assertEqual((CHART / "README.md").read_text(), readme(), "tests/chart/run.sh --update rewrites it")

    def test_values_and_schema_have_the_same_keys(self):
        values = yaml.safe_load((CHART / "values.yaml").read_text())
        schema = json.loads((CHART / "values.schema.json").read_text())
        self.assertEqual(keys_of_values(values, schema, schema), keys_of_schema(schema, schema) - {"global"})

    def test_bad_values_are_refused_with_a_clear_message(self):
        files = sorted((ROOT / "tests/chart/bad").glob("*.yaml"))
        self.assertGreaterEqual(len(files), 15)
        for path in files:
            with self.subTest(path.name):
                expected = re.match(r"# expect: (.+)\n", path.read_text()).group(1)
                result = template("--values", path)
                self.assertNotEqual(result.returncode, 0, "was accepted")
                self.assertIn(expected, result.stderr)

    def test_old_clusters_are_refused(self):
        result = template(SET, "--kube-version=1.28.0")
        self.assertIn("kubeVersion: >=1.29.0-0", result.stderr)

    def test_notes_say_what_to_do_and_warn(self):
        plain = notes(SET)
        for text in ("rollout status statefulset/hotprefix", "helm -n flows test hotprefix", "WARNING: only the chart's preset rules"):
            self.assertIn(text, plain)
        risky = notes(SET, "--set=replicas=1", "--set=kafka.sasl.mechanism=PLAIN", "--set=kafka.sasl.existingSecret=s")
        for text in ("hotprefix has one pod", "can read the password and the flows"):
            self.assertIn(text, risky)
            self.assertNotIn(text, plain)

    def test_pods_restart_when_and_only_when_their_files_change(self):
        def pod(*arguments):
            workload = next(d for d in objects(template(SET, *arguments).stdout) if d["kind"] == "StatefulSet")
            return workload["spec"]["template"]

        plain = pod()
        self.assertEqual(plain, pod("--set=replicas=5", "--set=podMonitor.enabled=true", "--set=commonAnnotations.a=b"))
        rule = '[{"name": "a", "thresholds": {"bytes": "1GiB"}}]'
        for change in (["--set=config.flush_interval=2s"], ["--set-json", f"rules={rule}"], ["--set", "files.a=b"]):
            self.assertNotEqual(plain["metadata"], pod(*change)["metadata"], change)

    def test_names_fit_for_the_longest_release(self):
        result = run("helm", "template", "r" * 53, CHART, SET, "--set=mode=split")
        for document in objects(result.stdout):
            name = document["metadata"]["name"]
            # A StatefulSet's pods have a label with its name and a hash of 11 characters.
            self.assertLessEqual(len(name), 52 if document["kind"] == "StatefulSet" else 63, name)

    def test_refused_kafka_properties_are_those_that_hotprefix_refuses(self):
        source = (ROOT / "src/config/kafka/owned.rs").read_text().split("/// The entry of")[0]
        ours = set(re.findall(r'owned\(\s*"([a-z.]+)"', source))
        text = (CHART / "templates/_checks.tpl").read_text().split('define "hotprefix.ownedProperties" -}}')[1]
        self.assertEqual(set(re.findall(r"^- ([a-z.]+)", text, re.M)), ours)

    def test_kafka_topics_are_as_hotprefix_makes_them(self):
        arguments = ["--set=strimzi.cluster=c", "--set=strimzi.topics.enabled=true", "--set=config.application_id=app"]
        documents = objects(template(*arguments).stdout)
        topics = {d["spec"]["topicName"]: d["spec"] for d in documents if d["kind"] == "KafkaTopic"}
        described = yaml.safe_load((ROOT / "schemas/topics.yaml").read_text())["topics"]
        described = {t["name"].replace("<app>", "app"): t["settings"] for t in described if t["role"] != "input"}
        self.assertEqual(set(topics), set(described))
        for name, settings in described.items():
            self.assertEqual(settings, {key: topics[name]["config"][key] for key in settings}, name)
        source = (ROOT / "src/kafka/topics.rs").read_text()
        constant = lambda name: eval(re.search(rf"const {name}: usize = ([0-9_* ]+);", source).group(1))
        message, room = constant("DEFAULT_MESSAGE_BYTES"), constant("DEAD_LETTER_ROOM")
        sizes = {"partials": message, "state": constant("STATE_MESSAGE_BYTES"), "dead-letters": message + room}
        for name, size in sizes.items():
            self.assertEqual(topics[f"app-{name}"]["config"]["max.message.bytes"], size, name)
        # Twice the longest interval + grace of the presets, 60 s + 5 s, and a day: as in `wanted`.
        self.assertEqual(topics["app-partials"]["config"]["retention.ms"], 2 * 65_000 + 86_400_000)

    def test_longest_window_is_that_of_all_rules(self):
        rule = '[{"name": "a", "interval": "1h30m", "grace": "1.5s", "thresholds": {"bytes": "1GiB"}}]'
        result = template("--set=strimzi.cluster=c", "--set=strimzi.topics.enabled=true", "--set-json", f"rules={rule}")
        topics = {d["metadata"]["name"]: d["spec"] for d in objects(result.stdout) if d["kind"] == "KafkaTopic"}
        self.assertEqual(topics["hotprefix-partials"]["config"]["retention.ms"], 2 * 5_401_500 + 86_400_000)


def notes(*arguments):
    """NOTES.txt, which helm shows after an installation only: a copy of the chart has it as a template."""
    with tempfile.TemporaryDirectory() as folder:
        chart = Path(shutil.copytree(CHART, f"{folder}/chart"))
        (chart / "templates/NOTES.txt").rename(chart / "notes")
        (chart / "templates/notes.yaml").write_text('notes: {{ tpl (.Files.Get "notes") . | quote }}')
        result = run("helm", "template", "hotprefix", chart, "--namespace=flows", "--show-only=templates/notes.yaml", *arguments)
    if result.returncode != 0:
        raise AssertionError(result.stderr)
    return yaml.safe_load(result.stdout)["notes"]


def resolve(schema, root):
    while "$ref" in schema:
        schema = root["$defs"][schema["$ref"].removeprefix("#/$defs/")]
    return schema


def is_group(key, schema):
    """Maps whose keys are the chart's own. `config` has the service's, and the stages' are those at the top."""
    return "properties" in schema and key not in FREE


FREE = {"config", "count", "detect", "resources", "affinity", "dnsConfig", "updateStrategy", "autoscaling.hpa.behavior"}


def keys_of_schema(schema, root, above=""):
    keys = set()
    for name, inner in schema["properties"].items():
        key, inner = f"{above}{name}", resolve(inner, root)
        keys |= keys_of_schema(inner, root, f"{key}.") if is_group(key, inner) else {key}
    return keys


def keys_of_values(values, schema, root, above=""):
    keys = set()
    for name, value in values.items():
        key = f"{above}{name}"
        inner = resolve(schema.get("properties", {}).get(name, {}), root)
        keys |= keys_of_values(value, inner, root, f"{key}.") if is_group(key, inner) else {key}
    return keys


if __name__ == "__main__":
    unittest.main()
