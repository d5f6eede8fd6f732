"""Helm and kubectl as an operator calls them, and what the API server says is there."""

import json
import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "deploy/helm/hotprefix"
# How long `--wait` waits. Pods are ready at once, but the machine may be busy.
TIMEOUT = "300s"


class Cluster:
    """Where the commands go."""

    def __init__(self, kubeconfig, folder):
        # Helm keeps caches: ours, not those of whoever runs the test.
        homes = {f"HELM_{kind}_HOME": str(folder / "helm") for kind in ("CACHE", "CONFIG", "DATA")}
        self.environment = {**os.environ, "KUBECONFIG": str(kubeconfig), **homes}

    def run(self, *command, text=None):
        """The completed command, whatever its result."""
        command = [str(part) for part in command]
        return subprocess.run(command, input=text, capture_output=True, text=True, env=self.environment, timeout=600)

    def do(self, *command, text=None):
        """The output of a command that must succeed without a warning. The API server warns of what it would refuse
        in a pod, of what is deprecated and of duplicate keys."""
        result = self.run(*command, text=text)
        called = " ".join(str(part) for part in command)
        if result.returncode != 0:
            raise AssertionError(f"{called} ended with {result.returncode}:\n{result.stderr}{result.stdout}")
        warnings = [line for line in result.stderr.splitlines() if "warning" in line.lower() or "would violate" in line]
        if warnings:
            raise AssertionError(f"{called} warns:\n" + "\n".join(warnings))
        return result.stdout

    def get(self, *arguments):
        """What `kubectl get` finds: a list of objects, or one object when it is named."""
        found = json.loads(self.do("kubectl", "get", *arguments, "-o", "json"))
        return found["items"] if found["kind"] == "List" else found

    def names(self, namespace):
        """`kind/name` of everything in a namespace, but for what the cluster itself writes."""
        kinds = self.do("kubectl", "api-resources", "--namespaced", "--verbs=list", "-o", "name").split()
        kinds = [kind for kind in kinds if kind.split(".")[0] not in ("endpoints", "events", "leases")]
        return set(self.do("kubectl", "get", ",".join(kinds), "-n", namespace, "-o", "name").split())

    def parsed(self, manifest, namespace):
        """The objects of a manifest of a release in `namespace`. kubectl reads the YAML; the server is asked for
        nothing but their kinds."""
        text = self.do("kubectl", "create", "--dry-run=client", "--validate=false", "-o", "json", "-f", "-", text=manifest)
        decoder, objects = json.JSONDecoder(), []
        while text := text.lstrip():
            found, end = decoder.raw_decode(text)
            objects.append(found)
            text = text[end:]
        for item in objects:
            # kubectl's choice for an object that names none, where Helm chooses the release's.
            if item["metadata"].get("namespace") == "default":
                item["metadata"]["namespace"] = namespace
        return objects


class Release:
    """The release `hotprefix` in a namespace of its own, with the values of one file."""

    def __init__(self, cluster, namespace, values):
        self.cluster, self.namespace, self.values = cluster, namespace, values

    def _helm(self, verb, *arguments):
        return self.cluster.do("helm", "-n", self.namespace, *verb.split(), "hotprefix", *arguments)

    def install(self):
        self._helm("install", CHART, "--values", self.values, "--wait", "--timeout", TIMEOUT)

    def upgrade(self, *changes):
        self._helm("upgrade", CHART, "--values", self.values, *changes, "--wait", "--timeout", TIMEOUT)

    def rollback(self, revision):
        self._helm("rollback", str(revision), "--wait", "--timeout", TIMEOUT)

    def uninstall(self):
        self._helm("uninstall", "--wait", "--timeout", TIMEOUT)

    def test(self):
        return self._helm("test", "--timeout", TIMEOUT)

    def revision(self):
        return json.loads(self._helm("status", "-o", "json"))["version"]

    def objects(self):
        """What the current revision says should be there, without hooks."""
        return self.cluster.parsed(self._helm("get manifest"), self.namespace)

    def hooks(self):
        return self.cluster.parsed(self._helm("get hooks"), self.namespace)

    def workloads(self):
        """The StatefulSets and Deployments that are there, by name."""
        found = self.cluster.get("statefulsets,deployments", "-n", self.namespace)
        return {item["metadata"]["name"]: item for item in found}

    def pods(self):
        """The pods of the workloads that are not on their way out."""
        found = self.cluster.get("pods", "-n", self.namespace, "-l", "app.kubernetes.io/component")
        return [pod for pod in found if "deletionTimestamp" not in pod["metadata"]]

    def stored(self, wanted):
        """The server's versions of objects, by `key`. What is not there is left out."""
        manifest = json.dumps({"apiVersion": "v1", "kind": "List", "items": wanted})
        found = self.cluster.do("kubectl", "get", "--ignore-not-found", "-o", "json", "-f", "-", text=manifest)
        items = json.loads(found)["items"] if found else []
        return {key(item): item for item in items}


def key(item):
    """Kind, namespace and name."""
    return item["kind"], item["metadata"].get("namespace"), item["metadata"]["name"]
