"""The simulated API server is held against the real one: the same scripts of calls are answered alike by both.

uids and resourceVersions are numbered in the order in which they show, since others write to a real cluster, too.
"""

import asyncio
import json
import random
import re
from base64 import b64encode
from collections.abc import Awaitable, Callable, Iterator
from contextlib import aclosing
from typing import Any

import pytest

from controlplane import ControlPlane
from labquota.kube import credentials, errors
from labquota.kube.api import JSON_PATCH, MERGE_PATCH, Api
from labquota.kube.client import HttpApi
from unit.simulated import Cluster

GROUP = "simulation.labquota.dev"
CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
CRD = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": f"things.{GROUP}"},
    "spec": {
        "group": GROUP,
        "scope": "Namespaced",
        "names": {"plural": "things", "singular": "thing", "kind": "Thing"},
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "schema": {
                    "openAPIV3Schema": {"type": "object", "properties": {"ledger": {"type": "string"}}}
                },
            }
        ],
    },
}


class Kind:
    """One kind of object: where it is, and how one is made that holds a text."""

    def __init__(self, root: str, plural: str, make: Callable[[str], dict[str, Any]]) -> None:
        self.root, self.plural, self._make = root, plural, make

    def path(self, namespace: str, name: str = "") -> str:
        return f"{self.root}/namespaces/{namespace}/{self.plural}" + (f"/{name}" if name else "")

    def body(self, name: str, text: str, **meta: Any) -> bytes:
        return json.dumps({"metadata": {"name": name, **meta}, **self._make(text)}).encode()


KINDS = {
    "secrets": Kind("/api/v1", "secrets", lambda text: {"data": {"text": b64encode(text.encode()).decode()}}),
    "leases": Kind("/apis/coordination.k8s.io/v1", "leases", lambda text: {"spec": {"holderIdentity": text}}),
    "custom resources": Kind(
        f"/apis/{GROUP}/v1",
        "things",
        lambda text: {"apiVersion": f"{GROUP}/v1", "kind": "Thing", "ledger": text},
    ),
}


class Answers:
    """Makes calls and keeps what is answered, in a form that two API servers can share."""

    def __init__(self, api: Api) -> None:
        self.api, self.lines = api, list[Any]()
        self._names: dict[str, str] = {}

    async def call(self, what: str, calling: Awaitable[bytes]) -> dict[str, Any]:
        """Make a call; the object that is answered, or {}."""
        try:
            found: dict[str, Any] = json.loads(await calling)
        except errors.ApiError as error:
            self.lines.append((what, error.status, error.reason, self._plain(error.message)))
            return {}
        self.lines.append((what, self._shown(found)))
        return found

    async def watch(self, what: str, path: str, params: dict[str, str], count: int = 1_000_000) -> None:
        """Watch until so many lines have come, or to the end."""
        told: list[Any] = []
        try:
            async with aclosing(self.api.watch(path, {"timeoutSeconds": "30", **params})) as lines:
                async for line in lines:
                    event = json.loads(line)
                    shown = event["type"], self._shown(event["object"])
                    if told[-1:] != [shown]:  # how many bookmarks come is the API server's own business
                        told.append(shown)
                    if len(told) == count:
                        break
        except errors.ApiError as error:
            told.append((error.status, error.reason))
        self.lines.append((what, told))

    def _shown(self, found: dict[str, Any]) -> Any:
        if "items" in found:
            return [self._shown(item) for item in found["items"]], bool(found["metadata"].get("continue"))
        if found.get("kind") == "Status":
            return found.get("status"), found.get("code"), found.get("reason")
        meta = found["metadata"]
        kept = {key: meta[key] for key in ("name", "namespace", "labels", "annotations") if meta.get(key)}
        for key in ("uid", "resourceVersion"):
            if "name" in meta:
                kept[key] = self._name(key, meta[key])
        content = {key: found[key] for key in ("data", "spec", "ledger") if key in found and "name" in meta}
        return kept | content

    def _name(self, key: str, value: str) -> str:
        return self._names.setdefault(value, f"{key} {len(self._names)}")

    def _plain(self, message: str) -> str:
        for value, name in self._names.items():
            message = message.replace(value, name)
        # What the store says of a precondition comes with the key of the object in etcd.
        return re.sub(r'": .*(Precondition failed: \w+).*', r'": \1', message)


Script = Callable[[Answers, Kind, str], Awaitable[None]]


async def writing(answers: Answers, kind: Kind, namespace: str) -> None:
    api, call = answers.api, answers.call
    path, a = kind.path(namespace), kind.path(namespace, "a")

    made = await call("create", api.create(path, kind.body("a", "1")))
    version, uid = made["metadata"]["resourceVersion"], made["metadata"]["uid"]
    await call("create what exists", api.create(path, kind.body("a", "2")))
    await call("create with a version", api.create(path, kind.body("b", "2", resourceVersion=version)))
    await call("get", api.get(a))
    await call("get what is missing", api.get(kind.path(namespace, "missing")))
    await call("swap", api.replace(a, kind.body("a", "2", resourceVersion=version)))
    await call("swap with an old version", api.replace(a, kind.body("a", "3", resourceVersion=version)))
    await call("replace any version", api.replace(a, kind.body("a", "4")))
    now = json.loads(await api.get(a))["metadata"]["resourceVersion"]
    await call("swap nothing", api.replace(a, await api.get(a)))
    await call(
        "swap with a foreign uid", api.replace(a, kind.body("a", "5", resourceVersion=now, uid="other"))
    )
    await call("swap under another name", api.replace(a, kind.body("b", "5", resourceVersion=now)))
    missing = kind.path(namespace, "missing")
    await call(
        "swap what is missing", api.replace(missing, kind.body("missing", "5", resourceVersion=now, uid=uid))
    )
    label = json.dumps({"metadata": {"labels": {"x": "y"}}}).encode()
    await call("merge", api.patch(a, label, MERGE_PATCH))
    await call("merge nothing", api.patch(a, label, MERGE_PATCH))
    old = json.dumps({"metadata": {"labels": {"x": "z"}, "resourceVersion": version}}).encode()
    await call("merge with an old version", api.patch(a, old, MERGE_PATCH))
    steps = json.dumps([{"op": "add", "path": "/metadata/annotations", "value": {"k": "v"}}]).encode()
    await call("patch", api.patch(a, steps, JSON_PATCH))
    await call("patch what is missing", api.patch(missing, label, MERGE_PATCH))
    for what, conditions in (("uid", {"uid": "other"}), ("version", {"resourceVersion": version})):
        options = json.dumps({"preconditions": conditions}).encode()
        await call(f"delete another {what}", api.delete(a, options))
    last = json.loads(await api.get(a))["metadata"]
    options = json.dumps({"preconditions": {"uid": uid, "resourceVersion": last["resourceVersion"]}}).encode()
    await call("delete", api.delete(a, options))
    await call("delete what is missing", api.delete(a))
    await call("create anew", api.create(path, kind.body("a", "6")))
    await call("swap the one before", api.replace(a, kind.body("a", "7", resourceVersion=now, uid=uid)))


async def listing(answers: Answers, kind: Kind, namespace: str) -> None:
    api, path = answers.api, kind.path(namespace)
    for name in "cabed":
        await api.create(path, kind.body(name, name))
    page = await answers.call("the first page", api.get(path, {"limit": "2"}))
    await api.create(path, kind.body("bb", "late"))
    await api.delete(f"{path}/d")
    more = {"limit": "2", "continue": page["metadata"]["continue"]}
    second = await answers.call("the second page", api.get(path, more))
    assert second["metadata"]["resourceVersion"] == page["metadata"]["resourceVersion"]
    more = {"limit": "2", "continue": second["metadata"]["continue"]}
    await answers.call("the last page", api.get(path, more))
    await answers.call("all", api.get(path, {}))
    await answers.call("one by its name", api.get(path, {"fieldSelector": "metadata.name=b"}))
    await answers.call("nothing", api.get(path, {"fieldSelector": "metadata.name=missing"}))


async def watching(answers: Answers, kind: Kind, namespace: str) -> None:
    api, path = answers.api, kind.path(namespace)
    made = json.loads(await api.create(path, kind.body("a", "1")))["metadata"]["resourceVersion"]
    await api.create(path, kind.body("b", "1"))
    await api.replace(f"{path}/a", kind.body("a", "2", resourceVersion=made))
    await api.delete(f"{path}/b")
    await answers.watch("what came since", path, {"resourceVersion": made}, 3)
    one = {"resourceVersion": made, "fieldSelector": "metadata.name=b"}
    await answers.watch("of one what came since", path, one, 2)
    whole = {
        "sendInitialEvents": "true",
        "resourceVersionMatch": "NotOlderThan",
        "allowWatchBookmarks": "true",
    }
    await api.create(path, kind.body("c", "1"))
    await answers.watch("the whole set", path, whole, 3)
    await answers.watch("the whole set of one", path, {**whole, "fieldSelector": "metadata.name=c"}, 2)

    async def later() -> None:
        await asyncio.sleep(0.5)
        await api.patch(f"{path}/c", b'{"metadata":{"labels":{"x":"y"}}}', MERGE_PATCH)
        await api.delete(f"{path}/c")

    writer = asyncio.create_task(later())
    await answers.watch("the whole set and what comes then", path, whole, 5)
    await writer
    now = json.loads(await api.get(path, {}))["metadata"]["resourceVersion"]
    end = {"resourceVersion": now, "timeoutSeconds": "3", "allowWatchBookmarks": "true"}

    async def beside() -> None:
        await asyncio.sleep(0.3)
        await api.create(path, kind.body("z", "1"))

    writer = asyncio.create_task(beside())
    one = {**end, "fieldSelector": "metadata.name=missing"}
    await answers.watch("nothing, a bookmark past what others wrote, and the end", path, one)
    await writer


async def looking_back(answers: Answers, kind: Kind, namespace: str) -> None:
    path = kind.path(namespace)
    await answers.watch("from a version before all that is kept", path, {"resourceVersion": "1"}, 1)


async def compare(script: Script, kind: Kind, plane: ControlPlane, namespace: str) -> None:
    """Play a script on both API servers, and expect the same answers."""
    simulated = Answers(Cluster())
    await script(simulated, kind, namespace)
    async with HttpApi(credentials.load(str(plane.admin.kubeconfig))) as api:
        real = Answers(api)
        await script(real, kind, namespace)
    assert [line[0] for line in simulated.lines] == [line[0] for line in real.lines]
    different = [
        f"simulated: {one}\nreal:      {other}"
        for one, other in zip(simulated.lines, real.lines, strict=True)
        if one != other
    ]
    assert not different, "\n".join(["", *different])


@pytest.fixture(scope="module")
def things(control_plane: ControlPlane) -> Iterator[None]:
    """A kind of the test's own, as OwnerLedgers are one."""
    kubectl, admin, name = control_plane.kubectl, control_plane.admin, f"crd/things.{GROUP}"
    kubectl(admin, "create", "-f", "-", stdin=json.dumps(CRD), check=True)
    kubectl(admin, "wait", "--for=condition=Established", name, check=True)
    yield
    kubectl(admin, "delete", name, check=True)


@pytest.fixture
def namespace(control_plane: ControlPlane) -> Iterator[str]:
    name = f"simulated-{random.SystemRandom().getrandbits(40):x}"
    control_plane.kubectl(control_plane.admin, "create", "namespace", name, check=True)
    yield name
    control_plane.kubectl(control_plane.admin, "delete", "namespace", name, "--wait=false", check=True)


@pytest.mark.usefixtures("things")
@pytest.mark.parametrize("script", [writing, listing, watching], ids=lambda script: script.__name__)
@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
async def test_the_simulated_api_server_answers_as_the_real_one_does(
    script: Script, kind: Kind, control_plane: ControlPlane, namespace: str
) -> None:
    await compare(script, kind, control_plane, namespace)


@pytest.mark.usefixtures("things")
async def test_it_answers_as_the_real_one_does_to_whoever_asks_for_a_past_that_is_not_kept(
    control_plane: ControlPlane, namespace: str
) -> None:
    # Of a kind that is younger than the API server: of the others it keeps everything since its own start.
    await compare(looking_back, KINDS["custom resources"], control_plane, namespace)
