"""What must hold of objects in the API server. Each function raises AssertionError, and says what is wrong with which."""

import re

from release import key

SUFFIXES = {"": 1, "m": 1e-3, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}
QUANTITY = re.compile(r"([0-9]+(?:\.[0-9]+)?)(m|k|M|G|T|Ki|Mi|Gi|Ti)?")


def same(one, other):
    """Whether the server means the same by two scalars: it writes 1000m as 1."""
    if one == other:
        return True
    matches = [QUANTITY.fullmatch(str(value)) for value in (one, other)]
    if isinstance(one, bool) or isinstance(other, bool) or not all(matches):
        return False
    amounts = [float(match[1]) * SUFFIXES[match[2] or ""] for match in matches]
    return amounts[0] == amounts[1]


def differences(wanted, stored, path=""):
    """Where `stored` has not what `wanted` says. It may have more: defaults and status."""
    if isinstance(wanted, dict) and isinstance(stored, dict):
        for name, value in wanted.items():
            if name in stored:
                yield from differences(value, stored[name], f"{path}/{name}")
            elif value not in (None, {}, [], ""):
                yield f"{path}/{name} is missing, not {value!r}"
    elif isinstance(wanted, list) and isinstance(stored, list) and len(wanted) == len(stored):
        for index, (one, other) in enumerate(zip(wanted, stored)):
            yield from differences(one, other, f"{path}/{index}")
    elif not same(wanted, stored):
        yield f"{path} is {stored!r}, not {wanted!r}"


def title(item):
    return f"{item['kind']}/{item['metadata']['name']}"


def is_stored(release, wanted):
    """The server has each object as the chart rendered it, nothing dropped and nothing changed."""
    stored = release.stored(wanted)
    wrong = [f"{title(item)}{found}" for item in wanted for found in differences(item, stored.get(key(item), {}))]
    assert not wrong, "\n".join(wrong)


def runs(release):
    """Each workload has the pods that it wants, Running, Ready and made from its current template. An autoscaler
    without metrics brings its workload to the minimum."""
    workloads, pods = release.workloads(), release.pods()
    for scaler in release.cluster.get("hpa", "-n", release.namespace):
        target, least = scaler["spec"]["scaleTargetRef"]["name"], scaler["spec"]["minReplicas"]
        assert workloads[target]["spec"]["replicas"] == least, f"{target} is not scaled to {least} pods"
    assert workloads, "there is no workload"
    for name, workload in workloads.items():
        selector = workload["spec"]["selector"]["matchLabels"]
        own = [pod for pod in pods if selector.items() <= pod["metadata"]["labels"].items()]
        assert len(own) == workload["spec"]["replicas"], f"{name} wants {workload['spec']['replicas']} pods, has {len(own)}"
        for pod in own:
            ready = [c["status"] for c in pod["status"].get("conditions", []) if c["type"] == "Ready"]
            assert pod["status"]["phase"] == "Running" and ready == ["True"], f"{title(pod)}: {pod['status']}"
            assert checksums(pod) == checksums(workload["spec"]["template"]), f"{title(pod)} is of another template"
    assert len(pods) == sum(w["spec"]["replicas"] for w in workloads.values()), "pods are left over"


def checksums(item):
    return {name: value for name, value in item["metadata"]["annotations"].items() if name.startswith("checksum/")}


def template(workload):
    """What pods are made of."""
    return workload["spec"]["template"]


def references(pod):
    """(kind, name, key or None) of each ConfigMap and Secret that a pod cannot start without."""
    for volume in pod["spec"].get("volumes", []):
        for source in [volume, *volume.get("projected", {}).get("sources", [])]:
            for kind, field in (("ConfigMap", "configMap"), ("Secret", "secret")):
                found = source.get(field, {"optional": True})
                if not found.get("optional"):
                    name = found.get("name") or found["secretName"]
                    yield from ((kind, name, item["key"]) for item in found.get("items", [{"key": None}]))
    for container in [*pod["spec"].get("initContainers", []), *pod["spec"]["containers"]]:
        sources = [variable.get("valueFrom", {}) for variable in container.get("env", [])]
        for source in sources + container.get("envFrom", []):
            for kind in ("ConfigMap", "Secret"):
                field = kind[0].lower() + kind[1:]
                found = source.get(f"{field}KeyRef") or source.get(f"{field}Ref") or {"optional": True}
                if not found.get("optional"):
                    yield kind, found["name"], found.get("key")


def finds_its_files(release, pods):
    """Each ConfigMap and Secret that a pod names is there with the key. A kubelet would wait for it; kwok does not."""
    there = {(i["kind"], i["metadata"]["name"]): i for i in release.cluster.get("configmaps,secrets", "-n", release.namespace)}
    for kind, name, entry in {reference for pod in pods for reference in references(pod)}:
        assert (kind, name) in there, f"{kind}/{name} is not there"
        entries = there[kind, name].get("data", {})
        assert entry is None or entry in entries, f"{kind}/{name} has {', '.join(entries)} and not {entry}"
