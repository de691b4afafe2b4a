"""The API server over HTTP/1.1, for little calls and watches, with nothing but the standard library.

A general client and what it needs take as much memory as all the rest of an agent, which runs on every GPU node.
"""

import asyncio
import ssl
from collections.abc import AsyncGenerator, Awaitable, Mapping
from typing import Protocol, Self
from urllib.parse import urlencode

import labquota
from labquota.clock import SystemClock
from labquota.kube import errors
from labquota.kube.api import MERGE_PATCH, Params
from labquota.kube.exchange import Exchange
from labquota.kube.streaming import Stream


class Proof(Protocol):
    """Where the API server is, and how to prove to it who we are; `credentials.Credentials` is one."""

    @property
    def server(self) -> str:
        """Base URL, as `https://10.0.0.1:6443`."""
        ...

    @property
    def tls(self) -> ssl.SSLContext | None:
        """The TLS context, or None for plain HTTP and for the system's own trust."""
        ...

    @property
    def server_name(self) -> str | None:
        """The name that the server's certificate must carry, where it differs from the address."""
        ...

    def headers(self) -> Awaitable[Mapping[str, str]]:
        """The headers of the next call."""
        ...


class LeanApi:
    """The API server over HTTP/1.1, without proxies; whole answers only, so lists have to be small.

    Args:
        proof: where the API server is and how to prove who we are.
        timeout: seconds for one whole call, answer included.
        connect_timeout: seconds for a connection, TLS included.
        connections: the most connections at once; calls beyond wait within their time-out. Watches do not count.
        keepalive: seconds an idle connection is kept. The API server drops them after 90, and a call that meets
            its closing connection is lost, so this must be less.
        user_agent: how the audit log names us.
        gather: seconds for which a watch waits for more after an event, so that a process whom no event hurries
            takes them in batches; a burst is taken as it comes.
    """

    def __init__(
        self,
        proof: Proof,
        *,
        timeout: float = 10.0,
        connect_timeout: float = 5.0,
        connections: int = 64,
        keepalive: float = 60.0,
        user_agent: str = f"labquota/{labquota.__version__}",
        gather: float = 0.0,
    ) -> None:
        self._proof = proof
        self._seconds, self._connect_timeout = timeout, connect_timeout
        self._headers = {
            "Accept": "application/json",
            "Accept-Encoding": "identity",
            "User-Agent": user_agent,
        }
        self._closed = False
        self._gather = gather
        self._streams: set[Stream] = set()
        self._exchanges = Exchange(
            proof.server,
            tls=proof.tls,
            server_name=proof.server_name,
            headers=self._headers,
            clock=SystemClock(),
            connections=connections,
            keepalive=keepalive,
            connect_timeout=connect_timeout,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close all connections, watches included."""
        self._closed = True
        self._exchanges.close()
        for stream in list(self._streams):
            stream.close()

    async def get(self, path: str, params: Params | None = None, *, timeout: float | None = None) -> bytes:  # noqa: ASYNC109  as in Api
        """Read an object or a list."""
        return await self._call("GET", path, params, None, None, timeout)

    async def read(
        self,
        path: str,
        params: Params,
        *,
        timeout: float | None = None,  # noqa: ASYNC109  as in Api
    ) -> AsyncGenerator[bytes, None]:
        """Read an object or a list, in one part."""
        yield await self._call("GET", path, params, None, None, timeout)

    async def create(
        self,
        path: str,
        body: bytes,
        params: Params | None = None,
        *,
        timeout: float | None = None,  # noqa: ASYNC109  as in Api
    ) -> bytes:
        """Create an object in a collection."""
        return await self._call("POST", path, params, body, "application/json", timeout)

    async def replace(self, path: str, body: bytes, *, timeout: float | None = None) -> bytes:  # noqa: ASYNC109  as in Api
        """Replace an object; see `Api.replace` for the one repetition."""
        return await self._call("PUT", path, None, body, "application/json", timeout)

    async def patch(
        self,
        path: str,
        body: bytes,
        content_type: str = MERGE_PATCH,
        params: Params | None = None,
        *,
        timeout: float | None = None,  # noqa: ASYNC109  as in Api
    ) -> bytes:
        """Patch an object."""
        return await self._call("PATCH", path, params, body, content_type, timeout)

    async def delete(self, path: str, body: bytes | None = None, *, timeout: float | None = None) -> bytes:  # noqa: ASYNC109  as in Api
        """Delete an object."""
        return await self._call("DELETE", path, None, body, "application/json", timeout)

    async def watch(self, path: str, params: Params) -> AsyncGenerator[bytes, None]:
        """Yield the events of a watch, whatever their size; an incomplete last line is dropped."""
        where = f"{path}?{urlencode({**params, 'watch': '1'})}"
        headers = await self._proof.headers()
        self._refuse_if_closed("GET", path)
        request = self._exchanges.request("GET", where, None, headers)
        try:
            tls, whole = self._exchanges.tls(), "sendInitialEvents" in params
            gather = 0.0 if whole else self._gather  # a whole set comes as fast as it can
            stream = await self._exchanges.connect(lambda: Stream(request, gather, tls), plain=True)
            self._streams.add(stream)
            try:
                async with asyncio.timeout(self._connect_timeout):
                    await stream.connected()
                await stream.opened()
                if (refused := stream.refused) is not None:
                    raise errors.of_answer(refused.status, refused.body, refused.header(b"retry-after"))
                while lines := await stream.take():
                    for line in lines:
                        if whole and line.startswith(_BOOKMARK):
                            whole, stream.gather = False, self._gather
                        yield line
            finally:
                self._streams.discard(stream)
                stream.close()
        except OSError as error:
            raise unreachable("GET", path, error) from error

    async def _call(
        self,
        method: str,
        path: str,
        params: Params | None,
        body: bytes | None,
        content_type: str | None,
        seconds: float | None,
    ) -> bytes:
        """One call whose answer is as large as the API server lets an object or a small list be."""
        headers = await self._proof.headers()
        if content_type is not None and body is not None:
            headers = {**headers, "Content-Type": content_type}
        self._refuse_if_closed(method, path)
        where = f"{path}?{urlencode(params)}" if params else path
        try:
            answer = await self._exchanges.call(method, where, body, headers, seconds or self._seconds)
        except OSError as error:
            raise unreachable(method, path, error) from error
        if answer.status >= 400:
            raise errors.of_answer(answer.status, answer.body, answer.header(b"retry-after"))
        return answer.body

    def _refuse_if_closed(self, method: str, path: str) -> None:
        if self._closed:
            raise errors.Unreachable(
                f"no answer from the API server to {method} {path}: the client is closed"
            )


_BOOKMARK = b'{"type":"BOOKMARK"'
"""How the first line after a whole set begins."""


def unreachable(method: str, path: str, error: BaseException) -> errors.Unreachable:
    """The error of a call that got no answer."""
    said = str(error) or ("timed out" if isinstance(error, TimeoutError) else type(error).__name__)
    return errors.Unreachable(f"no answer from the API server to {method} {path}: {said}")
