"""A small blocking client of one API server, for setting things up and looking at them.

Storms have a fast asynchronous client of their own; this one is for the dozens of calls around them.
"""

import http.client
import json
import ssl
import threading
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote, urlsplit

from controlplane.errors import ControlPlaneError

__all__ = ["ApiError", "Client"]

_JSON = "application/json"
APPLY = "application/apply-patch+yaml"
MERGE = "application/merge-patch+json"


class ApiError(ControlPlaneError):
    """The API server answered with an error: its HTTP status and the Status object it sent."""

    def __init__(self, method: str, path: str, status: int, body: Any) -> None:
        self.status = status
        self.body = body
        self.message = body.get("message", "") if isinstance(body, dict) else str(body)
        super().__init__(f"{method} {path}: {status} {self.message}")


class Client:
    """One user's calls to one API server, one at a time over one connection."""

    def __init__(self, url: str, tls: ssl.SSLContext, token: str = "") -> None:
        self._identity = {"Authorization": f"Bearer {token}"} if token else {}
        parts = urlsplit(url)
        self._host, self._port, self._tls = parts.hostname or "", parts.port, tls
        self._connection: http.client.HTTPSConnection | None = None
        self._lock = threading.Lock()
        self._resources: dict[tuple[str, str], tuple[str, bool]] = {}

    def call(self, method: str, path: str, body: Any = None, content_type: str = _JSON) -> tuple[int, Any]:
        """Send one request; returns the HTTP status and the decoded answer (text if it is not JSON).

        Raises:
            OSError, http.client.HTTPException: there was no answer.
        """
        data = None if body is None else json.dumps(body).encode()
        with self._lock:
            fresh = self._connection is None
            try:
                status, kind, answer = self._send(method, path, data, content_type)
            except (http.client.HTTPException, OSError):
                self._close()
                if fresh:
                    raise
                # A kept connection may have died with the server behind it; nothing was answered on it.
                try:
                    status, kind, answer = self._send(method, path, data, content_type)
                except (http.client.HTTPException, OSError):
                    self._close()
                    raise
        return status, json.loads(answer) if kind.startswith(_JSON) else answer.decode()

    def request(self, method: str, path: str, body: Any = None, content_type: str = _JSON) -> Any:
        """Like `call`, but an error answer is raised.

        Raises:
            ApiError: the status is 400 or above.
        """
        status, answer = self.call(method, path, body, content_type)
        if status >= 400:
            raise ApiError(method, path, status, answer)
        return answer

    def get(self, path: str) -> Any:
        """Read one object, list or page."""
        return self.request("GET", path)

    def create(self, path: str, body: Mapping[str, Any]) -> Any:
        """Create an object in the collection at `path`."""
        return self.request("POST", path, body)

    def merge(self, path: str, body: Mapping[str, Any]) -> Any:
        """Merge-patch an object."""
        return self.request("PATCH", path, body, MERGE)

    def delete(self, path: str, *, missing_ok: bool = True, **options: Any) -> Any:
        """Delete an object or a collection; `options` are DeleteOptions."""
        status, answer = self.call("DELETE", path, options or None)
        if status >= 400 and not (missing_ok and status == 404):
            raise ApiError("DELETE", path, status, answer)
        return answer

    def apply(self, manifests: Iterable[Mapping[str, Any]]) -> list[Any]:
        """Server-side apply each manifest, in order, taking over fields that others own."""
        return [
            self.request("PATCH", f"{self.path_of(each)}?fieldManager=controlplane&force=true", each, APPLY)
            for each in manifests
        ]

    def path_of(self, manifest: Mapping[str, Any]) -> str:
        """The path of the object that a manifest describes, by what the API server says it serves."""
        api, kind = manifest["apiVersion"], manifest["kind"]
        root = f"/apis/{api}" if "/" in api else f"/api/{api}"
        if (api, kind) not in self._resources:
            for each in self.get(root)["resources"]:
                if "/" not in each["name"]:
                    self._resources[api, each["kind"]] = (each["name"], each["namespaced"])
        if (api, kind) not in self._resources:
            raise ControlPlaneError(f"the API server serves no {kind} in {api}; apply its definition first")
        plural, namespaced = self._resources[api, kind]
        meta = manifest["metadata"]
        scope = f"/namespaces/{meta.get('namespace', 'default')}" if namespaced else ""
        return f"{root}{scope}/{plural}/{quote(meta['name'])}"

    def _send(self, method: str, path: str, data: bytes | None, content_type: str) -> tuple[int, str, bytes]:
        if self._connection is None:
            self._connection = http.client.HTTPSConnection(
                self._host, self._port, timeout=60, context=self._tls
            )
        headers = {"Content-Type": content_type, "Accept": "application/json, */*", **self._identity}
        self._connection.request(method, path, data, headers)
        answer = self._connection.getresponse()
        return answer.status, answer.getheader("Content-Type") or "", answer.read()

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def __del__(self) -> None:
        self._close()  # clients are made in passing; none should leave a socket behind

    def close(self) -> None:
        """Drop the connection; the next call opens a new one."""
        with self._lock:
            self._close()
