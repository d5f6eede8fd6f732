"""The chart's examples and bad values against a real API server. run.sh brings the programs.

Claims run in parallel, each in namespaces of its own, because most of a claim's time is waiting for controllers."""

import os
import re
import signal
import sys
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import checks
from control_plane import ControlPlane, wait_for
from release import CHART, ROOT, Cluster, Release

EXAMPLES = ROOT / "deploy/helm/examples"
BAD = ROOT / "tests/chart/bad"
RESTRICTED = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "warn")}
# A rule that no example has.
RULE = '[{"name": "changed", "interval": "60s", "thresholds": {"bits_per_second": "5Gbps"}}]'
# How an upgrade changes the size or shape of an example, and the workloads with their pods that follow.
# Where an autoscaler owns the number of pods, no value of ours does.
CHANGES = {
    "minimal": (["--set=mode=split"], {"hotprefix-count": 2, "hotprefix-detect": 2}),
    "monitoring": (["--set=kind=Deployment"], {"hotprefix": 2}),
    "secure": (["--set=replicas=4"], {"hotprefix": 4}),
    "split": (["--set=detect.replicas=3"], {"hotprefix-count": None, "hotprefix-detect": 3}),
    "strimzi-keda": (["--set=autoscaling.keda.enabled=false", "--set=replicas=3"], {"hotprefix": 3}),
    "everything": (["--set=count.autoscaling.keda.enabled=false", "--set=count.replicas=5"], {"prefix-alerts-count": 5, "prefix-alerts-detect": None}),
}  # fmt: skip


def namespace(cluster, name):
    """A namespace that enforces "restricted", with what an operator has put there before."""
    cluster.do("kubectl", "create", "namespace", name)
    cluster.do("kubectl", "label", "namespace", name, *(f"{key}={value}" for key, value in RESTRICTED.items()))
    cluster.do("kubectl", "apply", "-n", name, "-f", ROOT / "tests/cluster/fixtures.yaml")
    # The controllers put these there, soon.
    own = {"configmap/kube-root-ca.crt", "serviceaccount/default"}
    wait_for(f"namespace {name} to be complete", lambda: own <= cluster.names(name), 60)


def eventually(check, *arguments):
    """Tries a check again until it holds: controllers follow each other."""

    def holds():
        try:
            check(*arguments)
            return True
        except AssertionError as error:
            problem.append(error)
            return False

    problem = []
    try:
        wait_for(check.__name__, holds, 60)
    except TimeoutError:
        raise problem[-1] from None


def example_lives(cluster, name):
    """Install, test, upgrade twice, roll back and uninstall one example."""
    own = f"example-{name}"
    namespace(cluster, own)
    others = [other for other in ("kafka", "monitoring") if name == "everything"]
    before = {each: cluster.names(each) for each in (own, *others)}
    release = Release(cluster, own, EXAMPLES / name / "values.yaml")

    release.install()
    installed = release.objects()
    checks.is_stored(release, installed)
    eventually(checks.runs, release)
    checks.finds_its_files(release, release.pods() + release.hooks())
    hooks = {hook["metadata"]["name"] for hook in release.hooks()}
    tested = release.test()
    assert len(hooks) >= 2 and all(re.search(rf"{hook}\n(?:.*\n){{2}}Phase: +Succeeded", tested) for hook in hooks), tested
    first, pods = release.workloads(), release.pods()

    release.upgrade("--set-json", f"rules={RULE}")
    changed_rules_roll_the_pods(release, first, pods)

    arguments, wanted = CHANGES[name]
    release.upgrade(*arguments)
    checks.is_stored(release, release.objects())
    eventually(checks.runs, release)
    sizes = {key: workload["spec"]["replicas"] for key, workload in release.workloads().items()}
    assert sizes.keys() == wanted.keys(), f"{arguments} leads to {sizes}, not {wanted}"
    assert all(size in (None, sizes[key]) for key, size in wanted.items()), f"{arguments} leads to {sizes}, not {wanted}"

    release.rollback(1)
    assert release.revision() == 4 and release.objects() == installed, "revision 4 is not revision 1"
    checks.is_stored(release, installed)
    eventually(checks.runs, release)
    again = release.workloads()
    assert {key: checks.template(w) for key, w in again.items()} == {key: checks.template(w) for key, w in first.items()}

    release.uninstall()
    after = {each: cluster.names(each) for each in before}
    kept = {item for names in after.values() for item in names if item.startswith("kafkatopic.")}
    assert bool(kept) == any(item["kind"] == "KafkaTopic" for item in installed), f"topics that are kept: {kept}"
    left = {each: names - before[each] - kept for each, names in after.items()}
    assert not any(left.values()), f"uninstall leaves {left}"
    left = [found for found in release.stored(installed) if found[0] != "KafkaTopic"]
    assert not left, f"uninstall leaves {left}"


def changed_rules_roll_the_pods(release, first, pods):
    checks.is_stored(release, release.objects())
    eventually(checks.runs, release)
    for key, workload in release.workloads().items():
        old, new = (checks.checksums(checks.template(w)) for w in (first[key], workload))
        changed = {name for name in new if old.get(name) != new[name]}
        assert changed == {"checksum/rules"}, f"{key}: {changed} changed"
    uids = [{pod["metadata"]["uid"] for pod in each} for each in (pods, release.pods())]
    assert uids[1] and not uids[0] & uids[1], "pods are the same after the rules changed"


def rendered_is_valid(cluster, name):
    """The committed output of an example passes the server's own validation, unknown fields refused."""
    manifest = (EXAMPLES / name / "rendered.yaml").read_text()
    # The only order among the objects: a pod's account comes before the pod, and a dry run makes none.
    accounts = "---\n".join(part for part in manifest.split("---\n") if "\nkind: ServiceAccount\n" in part)
    cluster.do("kubectl", "apply", "-f", "-", text=accounts)
    cluster.do("kubectl", "apply", "--dry-run=server", "--validate=strict", "-f", "-", text=manifest)


def bad_values_are_refused(cluster):
    """`helm install` ends with the message that the file expects, and nothing is there afterwards."""
    namespace(cluster, "bad")
    before = cluster.names("bad")
    files = sorted(BAD.glob("*.yaml"))
    assert len(files) >= 15, f"{len(files)} bad values"
    wrong = []
    for path in files:
        expected = re.match(r"# expect: (.+)\n", path.read_text())[1]
        result = cluster.run("helm", "-n", "bad", "install", "hotprefix", CHART, "--values", path)
        if result.returncode == 0 or expected not in result.stderr:
            wrong.append(f"{path.name}: {result.returncode}, expected {expected!r}, got {result.stderr}")
    assert not wrong, "\n".join(wrong)
    assert cluster.names("bad") == before, "a refused installation leaves something"


def restricted_is_enforced(cluster):
    """Control: pods that run as root are refused, so that the pods of the others were looked at."""
    namespace(cluster, "control")
    values = EXAMPLES / "minimal/values.yaml"
    root = ["--set-json", 'extraContainers=[{"name": "root", "image": "root", "securityContext": {"runAsUser": 0, "runAsNonRoot": false}}]']
    result = cluster.run("helm", "-n", "control", "install", "hotprefix", CHART, "--values", values, *root, "--wait", "--timeout=5s")
    assert result.returncode != 0, "an installation with a container that runs as root succeeds"
    assert "would violate PodSecurity" in result.stderr and "runAsUser=0" in result.stderr, result.stderr

    def refused():
        events = cluster.get("events", "-n", "control", "--field-selector=reason=FailedCreate")
        return any('violates PodSecurity "restricted' in event["message"] for event in events)

    wait_for("an event that a pod is refused", refused, 60)
    assert not cluster.get("pods", "-n", "control"), "a pod that runs as root was made"


def checks_can_fail(cluster):
    """Control: a misspelt field, a resource that its definition does not allow, and a stored object that differs."""
    text = (EXAMPLES / "monitoring/rendered.yaml").read_text()
    for right, wrong, message in (
        ("terminationGracePeriodSeconds", "terminationGracePeriods", 'unknown field "spec.template.spec.terminationGracePeriods"'),
        ("interval: 15s", "interval: quarter", "PodMonitor"),
    ):
        assert right in text, right
        command = ["kubectl", "apply", "--dry-run=server", "--validate=strict", "-f", "-"]
        result = cluster.run(*command, text=text.replace(right, wrong))
        assert result.returncode != 0 and message in result.stderr, f"{wrong}: {result.stderr}"
    wanted = {"a": [{"cpu": "1000m"}], "b": "x"}
    assert list(checks.differences(wanted, {"a": [{"cpu": "1", "more": 1}], "b": "x", "c": 1})) == []
    for stored in ({"a": [], "b": "x"}, {"a": [{"cpu": "2"}], "b": "x"}, {"a": [{"cpu": "1"}]}):
        assert list(checks.differences(wanted, stored)), stored


def claims(names):
    """(claim, function, arguments). The longest first."""
    chosen = names or [*reversed(CHANGES)]
    found = {path.parent.name for path in EXAMPLES.glob("*/values.yaml")}
    assert found == set(CHANGES), f"examples are {sorted(found)}, and this test knows {sorted(CHANGES)}"
    assert set(chosen) <= found, f"examples are {sorted(found)}"
    yield from ((f"{name} installs, upgrades, rolls back and goes", example_lives, name) for name in chosen)
    if not names:
        yield "bad values are refused with their message", bad_values_are_refused
        yield "pods outside of restricted are refused", restricted_is_enforced
        yield "checks can fail", checks_can_fail


def prepare(cluster, names):
    crds = [ROOT / "tests/cluster/crds", os.environ["HOTPREFIX_TEST_CRDS"]]
    for folder in crds:
        # Prometheus' definitions do not fit into the annotation of a client-side apply.
        cluster.do("kubectl", "apply", "--server-side", "-f", folder)
    cluster.do("kubectl", "wait", "--for=condition=Established", "crd", "--all", "--timeout=120s")
    for name in ("kafka", "monitoring"):
        cluster.do("kubectl", "create", "namespace", name)
    namespace(cluster, "flows")
    for name in names or CHANGES:
        rendered_is_valid(cluster, name)


def main(names):
    started = time.monotonic()
    # A termination unwinds the stack, and with it the cluster.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with ControlPlane() as plane:
        print(f"the cluster is ready ({time.monotonic() - started:.0f} s)", flush=True)
        cluster = Cluster(plane.kubeconfig, plane.folder)
        prepare(cluster, names)
        print(f"rendered examples pass the server's validation ({time.monotonic() - started:.0f} s)", flush=True)

        def attempt(claim, function, *arguments):
            began = time.monotonic()
            try:
                function(cluster, *arguments)
                result = "ok"
            except Exception:
                result = f"FAILED\n{traceback.format_exc()}"
            print(f"{claim}: {result} ({time.monotonic() - began:.0f} s)", flush=True)
            return result == "ok"

        with ThreadPoolExecutor(max_workers=4) as pool:
            results = list(pool.map(lambda claim: attempt(*claim), claims(names)))
    failed = results.count(False)
    print(f"{len(results) - failed} of {len(results)} claims hold ({time.monotonic() - started:.0f} s)")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
