"""What a person without some right is told, on a server that grants just what a test says."""

import json
import threading
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from harness import manifests
from labquota.quota import owners
from labquota.quota.owners import Owner
from labquota_process import error, run

ROOT = "/apis/labquota.dev/v1alpha1"
ME = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
USAGE = f"{ROOT}/ownerusages/{owners.object_name(Owner('user:alice'))}"
LEDGER = f"{ROOT}/ownerledgers/{owners.object_name(Owner('user:alice'))}"
STUDENT = manifests.group("student", aggregate={"gpu": 3}, subjects=[{"kind": "Group", "name": "students"}])
BUDGET = {
    "metadata": {"name": "alice"},
    "spec": {"owner": "user:alice"},
    "status": {
        "group": "student",
        "limits": {"gpu": {"limit": "3", "source": "ResourceLimitGroup/student"}},
        "used": {"gpu": "1", "pods": "1"},
        "reserved": {"gpu": "1", "pods": "1"},
        "pods": [{"namespace": "vision", "name": "old", "uses": {"gpu": "1"}}],
    },
}
GROUPS = f"{ROOT}/resourcelimitgroups"
OVERRIDES = f"{ROOT}/resourcelimitoverrides"
RULES = {GROUPS: {"items": [STUDENT]}, OVERRIDES: {"items": []}}
POD = yaml.safe_dump({**manifests.pod("train", gpu=2), "metadata": {"name": "train"}})


class Server:
    """Answers what it is told to; anything else is forbidden, or of a status of its own."""

    def __init__(self, folder: Path) -> None:
        self.answers: dict[str, Any] = {}
        self.statuses: dict[str, int] = {}
        self.asked_as: list[tuple[str | None, list[str]]] = []
        owner = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                path = self.path.partition("?")[0]
                groups = self.headers.get_all("Impersonate-Group") or []
                owner.asked_as.append((self.headers.get("Impersonate-User"), groups))
                status = 200 if path in owner.answers else owner.statuses.get(path, 403)
                body = owner.answers.get(path, {"message": f'"alice" cannot get {path}', "code": status})
                text = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                self.do_GET()

            def log_message(self, *_: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        cluster = {"name": "a", "cluster": {"server": f"http://127.0.0.1:{self.http.server_port}"}}
        contexts = [{"name": "a", "context": {"cluster": "a", "namespace": "vision"}}]
        path = folder / "config"
        path.write_text(yaml.safe_dump({"clusters": [cluster], "contexts": contexts, "current-context": "a"}))
        self.env = {"KUBECONFIG": str(path)}

    def grant(self, answers: Mapping[str, Any]) -> None:
        self.answers.update(answers)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    found = Server(tmp_path)
    thread = threading.Thread(target=found.http.serve_forever)
    thread.start()
    found.grant({ME: {"status": {"userInfo": {"username": "alice", "groups": ["students"]}}}})
    yield found
    found.http.shutdown()
    found.http.server_close()
    thread.join()


def test_what_is_not_permitted_is_one_line_that_names_the_right(server: Server) -> None:
    assert error("limits", code=3, env=server.env) == (
        f'not permitted: "alice" cannot get {GROUPS}; ask for ClusterRole labquota-reader'
    )
    assert error("explain", "-f", "-", stdin=POD, code=3, env=server.env) == (
        f'not permitted: "alice" cannot get {GROUPS}; ask for ClusterRole labquota-reader'
    )
    assert error("usage", code=3, env=server.env) == (
        f'not permitted: "alice" cannot get {USAGE}; ask for ClusterRole labquota-reader'
    )


def test_who_may_read_only_their_own_budget_still_sees_their_limits(server: Server) -> None:
    server.grant({USAGE: BUDGET})
    done = run("limits", env=server.env)
    assert done.returncode == 0
    assert done.stderr == (
        "note: from the published budget, without per-pod limits; "
        f'not permitted: "alice" cannot get {GROUPS}; ask for ClusterRole labquota-reader\n'
    )
    assert done.stdout == (
        "User:        alice\n"
        "User groups: students\n"
        "Owner:       user:alice\n"
        "Group:       student (as published)\n"
        "\n"
        "RESOURCE   LIMIT   SET BY\n"
        "gpu            3   ResourceLimitGroup/student\n"
    )
    assert run("limits", "--aggregate-gpu-limit", env=server.env).stdout == "3\n"


def test_without_the_ledger_the_published_budget_decides(server: Server) -> None:
    server.grant({**RULES, USAGE: BUDGET})
    done = run("explain", "-f", "-", stdin=POD, env=server.env)
    assert done.returncode == 1
    assert done.stderr == (
        "note: GPUs are priced as if a pod could run on any node that has them: "
        'not permitted: "alice" cannot get /api/v1/nodes\n'
        "note: what agents report of GPUs is left out: "
        'not permitted: "alice" cannot get /apis/labquota.dev/v1alpha1/gpunodes; ask for ClusterRole labquota-reader\n'
        "note: defaults of LimitRanges in vision are not counted: "
        'not permitted: "alice" cannot get /api/v1/namespaces/vision/limitranges\n'
    )
    assert done.stdout.splitlines()[-1] == (
        "AGGREGATE_GPU_QUOTA_EXCEEDED: user:alice asked gpu 2, used 2 of 3 GPU units "
        "(ResourceLimitGroup/student), 1 still fit. Held by vision/old (gpu 1). 1 request in flight holds gpu 1 "
        "for at most 44 s, then try again. Delete a pod or let one finish, or ask for less"
    )


def test_another_users_group_is_the_published_one_where_their_ledger_is_closed(server: Server) -> None:
    server.grant({**RULES, USAGE: BUDGET, ME: {"status": {"userInfo": {"username": "bob"}}}})
    done = run("limits", "alice", "-o", "json", env=server.env)
    assert json.loads(done.stdout)["group"] == "student"


def test_an_owner_without_pods_has_their_limits_and_nothing_used(server: Server) -> None:
    server.grant(RULES)
    server.statuses[USAGE] = server.statuses[LEDGER] = 404
    server.answers[ME]["status"]["userInfo"]["groups"] = []
    done = run("usage", env=server.env)
    assert (done.returncode, done.stdout) == (0, "user:alice   group none\nholds nothing\n")


def test_a_cluster_without_labquota_is_called_that(server: Server) -> None:
    server.statuses[GROUPS] = 404
    assert error("limits", code=3, env=server.env) == (
        "this cluster has no labquota: it knows no resourcelimitgroups.labquota.dev"
    )


def test_expired_credentials_are_called_that(server: Server) -> None:
    del server.answers[ME]
    server.statuses[ME] = 401
    assert error("limits", code=3, env=server.env) == (
        "the API server does not accept these credentials (401): log in again"
    )


def test_everybody_who_is_asked_as_is_sent_with_every_group(server: Server) -> None:
    server.grant(RULES)
    assert run("limits", "--as", "bob", "--as-group", "a", "--as-group", "b", env=server.env).returncode == 0
    assert set(map(str, server.asked_as)) == {"('bob', ['a', 'b'])"}


def test_a_note_in_an_unreadable_limit_does_not_stop_the_answer(server: Server) -> None:
    server.grant(RULES)
    server.answers[GROUPS] = {"items": [{**STUDENT, "spec": {**STUDENT["spec"], "aggregate": {"gpu": "x"}}}]}
    done = run("limits", env=server.env)
    assert done.returncode == 0
    assert done.stderr.startswith("note: ResourceLimitGroup/student: spec.aggregate[gpu]: ")
