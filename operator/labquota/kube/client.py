"""The API server over HTTP/1.1, for everything that is hot.

The write of a ledger passes through here for every batch of admissions, so a call does as little as it can.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Self
from urllib.parse import urlencode

import aiohttp
from yarl import URL

import labquota
from labquota.clock import SystemClock
from labquota.kube import errors
from labquota.kube.api import MERGE_PATCH, Params
from labquota.kube.credentials import Credentials
from labquota.kube.exchange import Exchange
from labquota.kube.streaming import Stream


class HttpApi:
    """The API server over HTTP/1.1, on one session of kept-alive connections.

    Args:
        credentials: where the API server is and how to prove who we are.
        timeout: seconds for one whole call, answer included.
        connect_timeout: seconds for a connection, TLS included.
        connections: the most connections at once; calls beyond wait within their time-out. A watch holds one.
        keepalive: seconds an idle connection is kept. The API server drops them after 90, and a call that meets
            its closing connection is lost, so this must be less.
        user_agent: how the audit log names us.
        gather: seconds for which a watch waits for more after an event, so that a process whom no event hurries
            takes them in batches; a burst is taken as it comes.
    """

    def __init__(
        self,
        credentials: Credentials,
        *,
        timeout: float = 10.0,
        connect_timeout: float = 5.0,
        connections: int = 64,
        keepalive: float = 60.0,
        user_agent: str = f"labquota/{labquota.__version__}",
        gather: float = 0.0,
    ) -> None:
        self._credentials = credentials
        self._base = credentials.server.rstrip("/")
        self._timeout = aiohttp.ClientTimeout(total=timeout, connect=None, sock_connect=connect_timeout)
        self._open_ended = aiohttp.ClientTimeout(total=None, sock_connect=connect_timeout)
        self._connect_timeout = connect_timeout
        self._connections = connections
        self._keepalive = keepalive
        self._headers = {
            "Accept": "application/json",
            "Accept-Encoding": "identity",
            "User-Agent": user_agent,
        }
        self._session: aiohttp.ClientSession | None = None
        self._closed = False
        self._gather = gather
        self._streams: set[Stream] = set()
        self._seconds = timeout
        self._exchanges = Exchange(
            credentials.server,
            tls=credentials.tls,
            server_name=credentials.server_name,
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
        if self._session is not None:
            await self._session.close()
            self._session = None
            # The loop closes dropped sockets in its next turn, and there may be none after us.
            await asyncio.sleep(0)

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
        """Read an object or a list as it comes."""
        limits = self._timeout if timeout is None else self._limits(timeout)
        try:
            async with await self._send("GET", path, params, None, None, limits) as answer:
                if answer.status >= 400:
                    raise await _refusal(answer)
                async for part in answer.content.iter_any():
                    yield part
        except _NO_ANSWER as error:
            raise _unreachable("GET", path, error) from error

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
        if self._credentials.proxy is not None:
            async for line in self._watch_by_proxy(path, where):
                yield line
            return
        headers = await self._credentials.headers()
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
            raise _unreachable("GET", path, error) from error

    async def _watch_by_proxy(self, path: str, where: str) -> AsyncGenerator[bytes, None]:
        try:
            async with await self._send("GET", where, None, None, None, self._open_ended) as answer:
                if answer.status >= 400:
                    raise await _refusal(answer)
                try:
                    async for line in _lines(answer.content):
                        yield line
                finally:
                    _drop(answer)
        except _NO_ANSWER as error:
            raise _unreachable("GET", path, error) from error

    async def _call(
        self,
        method: str,
        path: str,
        params: Params | None,
        body: bytes | None,
        content_type: str | None,
        seconds: float | None,
    ) -> bytes:
        if params is None and self._credentials.proxy is None:
            return await self._exchange(method, path, body, content_type, seconds or self._seconds)
        limits = self._timeout if seconds is None else self._limits(seconds)
        try:
            async with await self._send(method, path, params, body, content_type, limits) as answer:
                if answer.status >= 400:
                    raise await _refusal(answer)
                return await answer.read()
        except _NO_ANSWER as error:
            raise _unreachable(method, path, error) from error

    async def _exchange(
        self, method: str, path: str, body: bytes | None, content_type: str | None, seconds: float
    ) -> bytes:
        """The lean way, for one object: a whole answer of a size that the API server bounds."""
        headers = await self._credentials.headers()
        if content_type is not None and body is not None:
            headers = {**headers, "Content-Type": content_type}
        self._refuse_if_closed(method, path)
        try:
            answer = await self._exchanges.call(method, path, body, headers, seconds)
        except OSError as error:
            raise _unreachable(method, path, error) from error
        if answer.status >= 400:
            raise errors.of_answer(answer.status, answer.body, answer.header(b"retry-after"))
        return answer.body

    def _refuse_if_closed(self, method: str, path: str) -> None:
        if self._closed:
            raise errors.Unreachable(
                f"no answer from the API server to {method} {path}: the client is closed"
            )

    def _limits(self, seconds: float) -> aiohttp.ClientTimeout:
        return aiohttp.ClientTimeout(total=seconds, sock_connect=min(seconds, self._connect_timeout))

    async def _send(
        self,
        method: str,
        path: str,
        params: Params | None,
        body: bytes | None,
        content_type: str | None,
        limits: aiohttp.ClientTimeout,
    ) -> aiohttp.ClientResponse:
        headers = await self._credentials.headers()
        if body is not None and content_type is not None:
            headers = {**headers, "Content-Type": content_type}
        address = f"{self._base}{path}?{urlencode(params)}" if params else self._base + path
        session = self._session or self._open()
        return await session.request(
            method,
            URL(address, encoded=True),
            data=body,
            headers=headers,
            timeout=limits,
            allow_redirects=False,
            server_hostname=self._credentials.server_name,
        )

    def _open(self) -> aiohttp.ClientSession:
        """Make the session, late: it belongs to the loop that is running now."""
        if self._closed:
            raise aiohttp.ClientConnectionError("the client is closed")
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=self._connections,
                ssl=self._credentials.tls or True,
                keepalive_timeout=self._keepalive,
                ttl_dns_cache=30,
            ),
            headers=self._headers,
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            proxy=self._credentials.proxy,
        )
        return self._session


_BOOKMARK = b'{"type":"BOOKMARK"'
"""How the first line after a whole set begins."""

# An OSError that aiohttp does not wrap comes from a connection lost while sending.
_NO_ANSWER = (aiohttp.ClientError, asyncio.TimeoutError, OSError)


def _unreachable(method: str, path: str, error: BaseException) -> errors.Unreachable:
    said = str(error) or ("timed out" if isinstance(error, asyncio.TimeoutError) else type(error).__name__)
    return errors.Unreachable(f"no answer from the API server to {method} {path}: {said}")


def _drop(answer: aiohttp.ClientResponse) -> None:
    """Cut the connection of a stream that is left early: the server has more to say, and TLS would wait for it."""
    if answer.connection is not None and answer.connection.transport is not None:
        answer.connection.transport.abort()


async def _refusal(answer: aiohttp.ClientResponse) -> errors.ApiError:
    return errors.of_answer(answer.status, await answer.read(), answer.headers.get("Retry-After"))


async def _lines(content: aiohttp.StreamReader) -> AsyncIterator[bytes]:
    """Split a stream into lines; `StreamReader.readline` refuses lines above its buffer's size."""
    parts: list[bytes] = []
    async for chunk in content.iter_any():
        if b"\n" not in chunk:
            parts.append(chunk)
            continue
        *whole, rest = chunk.split(b"\n")
        if parts:
            whole[0] = b"".join((*parts, whole[0]))
        parts = [rest] if rest else []
        for line in whole:
            if line:
                yield line
