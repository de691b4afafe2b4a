"""Objects of labquota's kinds as an admin would write them, and a client that sends them to a real API server."""

import time
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import quote

import yaml

from controlplane import Client, ControlPlane
from labquota.api import API_VERSION
from labquota.api.generate import CRDS

ROOT = f"/apis/{API_VERSION}"

Object = dict[str, Any]


class Wrong(NamedTuple):
    """An object that the API server must refuse, the path that it must name, and a part of its line."""

    name: str
    body: Object
    path: str
    says: str


def group(name: str = "schema-group", **spec: Any) -> Object:
    return _object("ResourceLimitGroup", name, spec=spec)


def override(name: str = "schema-override", **spec: Any) -> Object:
    return _object("ResourceLimitOverride", name, spec={"owner": "user:alice", **spec})


def usage(name: str = "schema-usage", **spec: Any) -> Object:
    return _object("OwnerUsage", name, spec={"owner": "user:alice", **spec})


def ledger(name: str = "schema-ledger", **fields: Any) -> Object:
    return _object("OwnerLedger", name, **fields)


def _object(kind: str, name: str, **fields: Any) -> Object:
    return {"apiVersion": API_VERSION, "kind": kind, "metadata": {"name": name}, **fields}


class Resources:
    """Labquota's kinds on one control plane: definitions as they are checked in, applied and served."""

    def __init__(self, plane: ControlPlane) -> None:
        self.plane = plane
        self.client: Client = plane.admin.client()
        definitions = [yaml.safe_load(text) for text in CRDS.files().values()]
        self.client.apply(definitions)
        deadline = time.monotonic() + 20
        while not all(self._served(definition) for definition in definitions):
            assert time.monotonic() < deadline, "the API server does not serve labquota's kinds after 20 s"
            time.sleep(0.05)

    def _served(self, definition: Mapping[str, Any]) -> bool:
        path = f"{ROOT}/{definition['spec']['names']['plural']}?limit=1"
        return self.client.call("GET", path)[0] == 200

    def dry_run(self, body: Mapping[str, Any]) -> tuple[int, Object]:
        """What the API server would answer to a create, strict about unknown fields as kubectl is."""
        return self.client.call("POST", f"{_collection(body)}?dryRun=All&fieldValidation=Strict", body)

    def refuses(self, wrong: Wrong) -> None:
        """Assert that it does, and that path and remedy are in the line and the path in the causes."""
        status, answer = self.dry_run(wrong.body)
        assert status in (400, 422), f"accepted: {answer}"
        assert wrong.path in answer["message"]
        assert wrong.says in answer["message"]
        if status == 422:
            assert wrong.path in [cause.get("field") for cause in answer["details"]["causes"]]

    def create(self, body: Mapping[str, Any]) -> Object:
        """Create it for good, in the place of one of the same name."""
        self.delete(body)
        created: Object = self.client.create(_collection(body), body)
        return created

    def delete(self, body: Mapping[str, Any]) -> None:
        self.client.delete(path(body))

    def put_status(self, body: Mapping[str, Any]) -> tuple[int, Object]:
        """Write the status as the operator does, strictly."""
        return self.client.call("PUT", f"{path(body)}/status?fieldValidation=Strict", body)


def path(body: Mapping[str, Any]) -> str:
    return f"{_collection(body)}/{quote(body['metadata']['name'])}"


def _collection(body: Mapping[str, Any]) -> str:
    return f"{ROOT}/{body['kind'].lower()}s"
