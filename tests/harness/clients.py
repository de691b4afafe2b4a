"""A fast asynchronous client of the API server for one user: as many connections as there are calls at once.

64 concurrent calls are 64 clients: HTTP/1.1, a connection each, kept open.
"""

import io
from collections.abc import AsyncIterator, Mapping
from types import TracebackType
from typing import Any, NamedTuple, Self

import aiohttp
import msgspec

from controlplane import User
from controlplane.users import Bearer

__all__ = ["Answer", "AsyncClient"]

MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
_LARGE = 2**20


class Answer(NamedTuple):
    """What the API server said.

    Attributes:
        status: the HTTP status.
        body: the decoded JSON: the object, or a Status when it failed.
        warnings: the texts of the Warning headers, as kubectl prints them.
    """

    status: int
    body: Any
    warnings: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether it was done."""
        return self.status < 400

    @property
    def message(self) -> str:
        """The line that a person reads when it failed; empty if it did not."""
        return "" if self.ok else str(self.body.get("message", ""))

    @property
    def causes(self) -> list[dict[str, Any]]:
        """The machine-readable causes of a refusal."""
        details = {} if self.ok else self.body.get("details") or {}
        return list(details.get("causes") or [])


class AsyncClient:
    """One user's calls; use it with `async with`.

    Args:
        user: whose calls.
        server: the number of the API server.
        connections: the most connections open at once.
        seconds: how long a call may take.
    """

    def __init__(self, user: User, *, server: int = 0, connections: int = 64, seconds: float = 60) -> None:
        self.user = user
        self._url, self._connections, self._seconds = user.servers[server], connections, seconds
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        connector = aiohttp.TCPConnector(limit=self._connections, ssl=self.user.tls)
        timeout = aiohttp.ClientTimeout(total=self._seconds)
        known = {"Authorization": f"Bearer {self.user.token}"} if isinstance(self.user, Bearer) else None
        self._session = aiohttp.ClientSession(self._url, connector=connector, timeout=timeout, headers=known)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        params: Mapping[str, str] | None = None,
        content_type: str = "application/json",
    ) -> Answer:
        """Send one request.

        Raises:
            aiohttp.ClientError, TimeoutError: there was no answer.
        """
        text = None if body is None else body if isinstance(body, bytes) else msgspec.json.encode(body)
        data = io.BytesIO(text) if text is not None and len(text) > _LARGE else text  # aiohttp wants it so
        headers = {"Content-Type": content_type, "Accept": "application/json"}
        async with self._open.request(method, path, data=data, params=params, headers=headers) as answer:
            read = await answer.read()
            warnings = tuple(_warning(each) for each in answer.headers.getall("Warning", []))
            return Answer(answer.status, _decode(read), warnings)

    async def create(self, path: str, body: Any, **params: str) -> Answer:
        """Create an object in the collection at `path`; `params` such as `dryRun="All"`."""
        return await self.call("POST", path, body, params=params)

    async def get(self, path: str, **params: str) -> Answer:
        """Read an object or a list."""
        return await self.call("GET", path, params=params)

    async def patch(self, path: str, body: Any, content_type: str = MERGE) -> Answer:
        """Change an object."""
        return await self.call("PATCH", path, body, content_type=content_type)

    async def delete(self, path: str, **options: Any) -> Answer:
        """Delete an object or a collection; `options` are DeleteOptions."""
        return await self.call("DELETE", path, options or None)

    async def create_pod(self, pod: Mapping[str, Any], **params: str) -> Answer:
        """Create a pod in the namespace that it names."""
        return await self.create(pods(pod["metadata"]["namespace"]), pod, **params)

    async def delete_pod(self, namespace: str, name: str, **options: Any) -> Answer:
        """Delete a pod, by default with the grace period it asks for."""
        return await self.delete(f"{pods(namespace)}/{name}", **options)

    async def patch_status(self, namespace: str, name: str, status: Mapping[str, Any]) -> Answer:
        """Write a pod's status as its kubelet would (needs the right to)."""
        return await self.patch(f"{pods(namespace)}/{name}/status", {"status": status})

    async def resize_pod(self, namespace: str, name: str, patch: Mapping[str, Any]) -> Answer:
        """Resize a pod in place; `manifests.resize` makes the patch."""
        return await self.patch(f"{pods(namespace)}/{name}/resize", patch, STRATEGIC)

    async def list(self, path: str, **params: str) -> list[dict[str, Any]]:
        """The items of a list.

        Raises:
            LookupError: the API server refused; with its message.
        """
        answer = await self.get(path, **params)
        if not answer.ok:
            raise LookupError(f"GET {path}: {answer.status} {answer.message}")
        items: list[dict[str, Any]] = answer.body["items"]
        return items

    async def watch(self, path: str, **params: str) -> AsyncIterator[dict[str, Any]]:
        """Events (`type` and `object`) until the stream ends or the caller stops."""
        timeout = aiohttp.ClientTimeout(total=None)
        async with self._open.get(path, params={"watch": "true", **params}, timeout=timeout) as answer:
            answer.raise_for_status()
            rest = b""
            async for chunk in answer.content.iter_any():
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    yield msgspec.json.decode(line)

    @property
    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            raise RuntimeError("an AsyncClient is used with `async with`")
        return self._session


def pods(namespace: str) -> str:
    """The path of a namespace's pods."""
    return f"/api/v1/namespaces/{namespace}/pods"


def _decode(text: bytes) -> Any:
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        return {"message": text.decode(errors="replace")}


def _warning(header: str) -> str:
    """The text of `299 - "text"`."""
    quoted = header.partition(" - ")[2].strip()
    return quoted[1:-1].replace('\\"', '"').replace("\\\\", "\\") if quoted.startswith('"') else header
