"""The API server over HTTP/1.1, for everything that is hot.

The write of a ledger passes through here for every batch of admissions, so a call does as little as it can.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any
from urllib.parse import urlencode

import aiohttp
from yarl import URL

from labquota.kube import errors
from labquota.kube.api import Params
from labquota.kube.credentials import Credentials
from labquota.kube.lean import LeanApi, unreachable


class HttpApi(LeanApi):
    """The API server over HTTP/1.1, on kept-alive connections; large answers as they come, and through proxies.

    Args:
        credentials: where the API server is and how to prove who we are.
        timeout: seconds for one whole call, answer included.
        connect_timeout: seconds for a connection, TLS included.
        connections: the most connections at once; calls beyond wait within their time-out. A watch holds one.
        keepalive: seconds an idle connection is kept; see `LeanApi`.
        lean: as in `LeanApi`.
    """

    def __init__(
        self,
        credentials: Credentials,
        *,
        timeout: float = 10.0,
        connect_timeout: float = 5.0,
        connections: int = 64,
        keepalive: float = 60.0,
        **lean: Any,
    ) -> None:
        super().__init__(
            credentials,
            timeout=timeout,
            connect_timeout=connect_timeout,
            connections=connections,
            keepalive=keepalive,
            **lean,
        )
        self._credentials = credentials
        self._base = credentials.server.rstrip("/")
        self._timeout = aiohttp.ClientTimeout(total=timeout, connect=None, sock_connect=connect_timeout)
        self._open_ended = aiohttp.ClientTimeout(total=None, sock_connect=connect_timeout)
        self._connections = connections
        self._keepalive = keepalive
        self._session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        """Close all connections, watches included."""
        await super().close()
        if self._session is not None:
            await self._session.close()
            self._session = None
            # The loop closes dropped sockets in its next turn, and there may be none after us.
            await asyncio.sleep(0)

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
            raise unreachable("GET", path, error) from error

    def watch(self, path: str, params: Params) -> AsyncGenerator[bytes, None]:
        """The events of a watch, whatever their size; an incomplete last line is dropped."""
        if self._credentials.proxy is None:
            return super().watch(path, params)
        return self._watch_by_proxy(path, f"{path}?{urlencode({**params, 'watch': '1'})}")

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
        if params is None and self._credentials.proxy is None:
            return await super()._call(method, path, None, body, content_type, seconds)
        limits = self._timeout if seconds is None else self._limits(seconds)
        try:
            async with await self._send(method, path, params, body, content_type, limits) as answer:
                if answer.status >= 400:
                    raise await _refusal(answer)
                return await answer.read()
        except _NO_ANSWER as error:
            raise unreachable(method, path, error) from error

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


# An OSError that aiohttp does not wrap comes from a connection lost while sending.
_NO_ANSWER = (aiohttp.ClientError, asyncio.TimeoutError, OSError)


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
