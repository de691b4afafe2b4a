"""Somebody else's mutating webhook, as service meshes and policy engines bring one: it adds to what it is shown.

The API server calls it before or after labquota's, by its name, and then has to ask those again that want to be.
"""

import base64
import json
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from controlplane import ControlPlane
from controlplane.certificates import Authority
from controlplane.process import wait_until

MARK = "meddler.example.org/seen"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    annotations: Mapping[str, str] = {}

    def do_POST(self) -> None:
        review = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        meta = review["request"]["object"].get("metadata", {})
        wanted = {**(meta.get("annotations") or {}), **self.annotations}
        patch = [{"op": "add", "path": "/metadata/annotations", "value": wanted}]
        answer = {
            "uid": review["request"]["uid"],
            "allowed": True,
            "patchType": "JSONPatch",
            "patch": base64.b64encode(json.dumps(patch).encode()).decode(),
        }
        body = json.dumps({"apiVersion": review["apiVersion"], "kind": review["kind"], "response": answer})
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  the base's name
        del format, args


@contextmanager
def meddling(
    plane: ControlPlane, name: str, folder: Path, namespace: str, annotations: Mapping[str, str] | None = None
) -> Iterator[None]:
    """Have every new pod and workload of a namespace go through a webhook that adds `MARK`, or these annotations.

    Args:
        plane: Whose API server asks.
        name: Decides whether it is asked before or after `labquota-owners`.
        folder: For its certificates.
        namespace: The only one it is asked about.
        annotations: What it adds.
    """
    authority = Authority(folder / name, name)
    serving = authority.server("meddler")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(serving.certificate, serving.key)
    handler = type("Handler", (_Handler,), {"annotations": {MARK: name, **(annotations or {})}})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        url = f"https://127.0.0.1:{server.server_port}/"
        bundle = base64.b64encode(authority.certificate.read_bytes()).decode()
        manifest = _registration(name, url, bundle, namespace)
        plane.client.apply([manifest])
        try:
            assert wait_until(lambda: _asked(plane, namespace, name), 15), f"{name} is not asked"
            yield
        finally:
            plane.client.delete(plane.client.path_of(manifest))
            server.shutdown()
            thread.join()


def _asked(plane: ControlPlane, namespace: str, name: str) -> bool:
    pod = {"metadata": {"name": "probe"}, "spec": {"containers": [{"name": "main", "image": "none"}]}}
    made = plane.client.create(f"/api/v1/namespaces/{namespace}/pods?dryRun=All", pod)
    return bool(made["metadata"]["annotations"].get(MARK) == name)


def _registration(name: str, url: str, bundle: str, namespace: str) -> dict[str, Any]:
    groups = {"": ["pods"], "apps": ["deployments", "replicasets"], "batch": ["jobs"]}
    rules = [
        {"apiGroups": [group], "apiVersions": ["*"], "resources": kinds, "operations": ["CREATE"]}
        for group, kinds in groups.items()
    ]
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "MutatingWebhookConfiguration",
        "metadata": {"name": name},
        "webhooks": [
            {
                "name": "meddler.example.org",
                "admissionReviewVersions": ["v1"],
                "sideEffects": "None",
                "failurePolicy": "Fail",
                "reinvocationPolicy": "IfNeeded",
                "clientConfig": {"url": url, "caBundle": bundle},
                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
                "rules": rules,
            }
        ],
    }
