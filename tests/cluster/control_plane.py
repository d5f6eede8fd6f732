"""A Kubernetes cluster without containers: etcd, API server, controllers and scheduler are the real ones, the nodes
are kwok's. It lives in a temporary folder, on free loopback ports, and ends with this process whatever happens."""

import base64
import contextlib
import json
import os
import secrets
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

HERE = Path(__file__).parent
NODES = 3
# Seconds for one program to answer. It takes 5 on an idle machine, but a compiler may have this one.
PATIENCE = 120


class ControlPlane(contextlib.AbstractContextManager):
    """`kubeconfig` names the file to reach it with."""

    def __init__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="hotprefix-cluster-"))
        self.kubeconfig = self.folder / "kubeconfig"
        self.certificate = self.folder / "apiserver" / "apiserver.crt"
        self.token = secrets.token_hex(16)
        self.processes = []
        try:
            self._start()
        except BaseException:
            self.__exit__()
            raise

    def __exit__(self, *_):
        # Nothing of it is needed again, so nothing is asked to end well.
        for process in self.processes:
            process.kill()
        for process in self.processes:
            process.wait()
        keep = os.environ.get("HOTPREFIX_TEST_KEEP_LOGS")
        if keep:
            shutil.copytree(self.folder, keep, ignore=shutil.ignore_patterns("etcd"), dirs_exist_ok=True)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _start(self):
        self._start_etcd()
        self._start_apiserver()
        for name, arguments in self._clients():
            self._run(name, f"--kubeconfig={self.kubeconfig}", *arguments)
        self._add_nodes()

    def _start_etcd(self):
        client, peer = (f"http://127.0.0.1:{port}" for port in free_ports(2))
        etcd = self._run(
            "etcd", f"--data-dir={self.folder}/etcd", "--name=default", f"--listen-client-urls={client}",
            f"--advertise-client-urls={client}", f"--listen-peer-urls={peer}", f"--initial-advertise-peer-urls={peer}",
            f"--initial-cluster=default={peer}",
        )  # fmt: skip
        self.etcd = client
        self._wait(etcd, lambda: b"true" in urllib.request.urlopen(f"{client}/health", timeout=5).read())

    def _start_apiserver(self):
        port = free_ports(1)[0]
        key, tokens = self.folder / "service-account.key", self.folder / "tokens.csv"
        private(key, signing_key())
        private(tokens, f"{self.token},admin,admin,system:masters\n")
        server = self._run(
            "kube-apiserver", f"--etcd-servers={self.etcd}", "--bind-address=127.0.0.1", f"--secure-port={port}",
            f"--cert-dir={self.certificate.parent}", f"--token-auth-file={tokens}", "--authorization-mode=RBAC",
            "--service-account-issuer=https://kubernetes.default.svc", f"--service-account-key-file={key}",
            f"--service-account-signing-key-file={key}", "--endpoint-reconciler-type=none",
            # A list by watch needs to know how far a watch is, which Debian's etcd 3.4 cannot say, and kwok asks for
            # one without knowing: the server takes each of its watches for that.
            "--feature-gates=WatchList=false",
            # Both families: a Service may ask for them.
            "--service-cluster-ip-range=10.96.0.0/16,fd00:96::/108",
        )  # fmt: skip
        self.url = f"https://127.0.0.1:{port}"
        self._wait(server, lambda: self._get("/readyz") == b"ok")
        cluster = {"server": self.url, "certificate-authority": str(self.certificate)}
        config = {
            "apiVersion": "v1", "kind": "Config", "current-context": "it",
            "clusters": [{"name": "it", "cluster": cluster}],
            "users": [{"name": "admin", "user": {"token": self.token}}],
            "contexts": [{"name": "it", "context": {"cluster": "it", "user": "admin"}}],
        }  # fmt: skip
        private(self.kubeconfig, json.dumps(config))

    def _clients(self):
        def serving(name, port):
            return ["--bind-address=127.0.0.1", f"--secure-port={port}", f"--cert-dir={self.folder}/{name}"]

        key = self.folder / "service-account.key"
        ports = free_ports(3)
        yield "kube-controller-manager", [
            *serving("controllers", ports[0]), "--leader-elect=false", f"--service-account-private-key-file={key}",
            f"--root-ca-file={self.certificate}",
            # Nodes say once that they are ready, and without heartbeats they would lose their pods.
            "--node-monitor-grace-period=24h",
            "--horizontal-pod-autoscaler-sync-period=2s",
        ]  # fmt: skip
        yield "kube-scheduler", [*serving("scheduler", ports[1]), "--leader-elect=false"]
        yield "kwok", [
            "--manage-all-nodes=true", f"--config={HERE}/kwok.yaml", f"--server-address=127.0.0.1:{ports[2]}",
            "--node-ip=127.0.0.1",
        ]  # fmt: skip

    def _add_nodes(self):
        room = {"cpu": "64", "memory": "256Gi", "ephemeral-storage": "1Ti", "pods": "110"}
        for number in range(NODES):
            name = f"node-{number}"
            labels = {
                "kubernetes.io/hostname": name, "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64",
                "topology.kubernetes.io/zone": f"zone-{number}",
            }  # fmt: skip
            node = {
                "apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": labels},
                "status": {"allocatable": room, "capacity": room},
            }  # fmt: skip
            self._get("/api/v1/nodes", node)

        def ready():
            nodes = json.loads(self._get("/api/v1/nodes"))["items"]
            conditions = [c for node in nodes for c in node["status"].get("conditions", [])]
            tainted = [node for node in nodes if node["spec"].get("taints")]
            return not tainted and sum(c["type"] == "Ready" and c["status"] == "True" for c in conditions) == NODES

        self._wait(self.processes[-1], ready)

    def _get(self, path, body=None):
        """The answer to a GET, or to a POST of `body`."""
        request = urllib.request.Request(self.url + path, headers={"Authorization": f"Bearer {self.token}"})
        if body is not None:
            request.data = json.dumps(body).encode()
            request.add_header("Content-Type", "application/json")
        context = ssl.create_default_context(cafile=self.certificate)
        with urllib.request.urlopen(request, timeout=10, context=context) as answer:
            return answer.read()

    def _run(self, name, *arguments):
        with (self.folder / f"{name}.log").open("wb") as log:
            # The kernel ends it when this process is killed and cannot.
            command = ["setpriv", "--pdeathsig=KILL", name, *arguments]
            process = subprocess.Popen(command, stdout=log, stderr=log, cwd=self.folder, start_new_session=True)
        process.name = name
        self.processes.append(process)
        return process

    def _wait(self, process, condition):
        def alive():
            for other in self.processes:
                if other.poll() is not None:
                    raise RuntimeError(f"{other.name} ended with {other.returncode}:\n{self.log(other.name)}")
            try:
                return condition()
            except OSError:
                return False

        try:
            wait_for(f"{process.name} to be ready", alive, PATIENCE)
        except TimeoutError as error:
            raise TimeoutError(f"{error}\n{self.log(process.name)}") from None

    def log(self, name):
        """The last of what a program said."""
        return "\n".join((self.folder / f"{name}.log").read_text(errors="replace").splitlines()[-25:])


def wait_for(what, condition, seconds):
    """The first true answer of `condition`."""
    deadline = time.monotonic() + seconds
    while True:
        answer = condition()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {seconds} s for {what}")
        time.sleep(0.1)


def free_ports(count):
    """Ports that were free a moment ago, all different."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def private(path, text):
    path.touch(mode=0o600)
    path.write_text(text)


def signing_key():
    """A new P-256 key (RFC 5915, without the public half, which follows from the private one)."""
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    number = (1 + secrets.randbelow(order - 1)).to_bytes(32, "big")
    der = bytes.fromhex("30310201010420") + number + bytes.fromhex("a00a06082a8648ce3d030107")
    return f"-----BEGIN EC PRIVATE KEY-----\n{base64.encodebytes(der).decode()}-----END EC PRIVATE KEY-----\n"


if __name__ == "__main__":
    with ControlPlane() as cluster:
        print(f"export KUBECONFIG={cluster.kubeconfig}", flush=True)
        sys.stdin.read()
