"""Watches over TLS that is taken off by hand, against a server with the usual TLS."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from controlplane.certificates import Authority
from labquota.kube import errors
from labquota.kube.client import HttpApi
from labquota.kube.credentials import Credentials

HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
LINES = [b"%d" % number + b"x" * 20_000 for number in range(60)]


@asynccontextmanager
async def server(
    folder: Path, *sent: bytes, trusts: Path | None = None, name: str | None = None, mute: bool = False
) -> AsyncIterator[HttpApi]:
    """A TLS server that answers a watch with these bytes, and a client that trusts its authority, or another one."""
    authority = Authority(folder / "own", "own")
    pair = authority.server("peer")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.certificate, pair.key)
    answering = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answering.append(asyncio.current_task())
        if not mute:
            await reader.readuntil(b"\r\n\r\n")
            for piece in sent:
                writer.write(piece)
                await writer.drain()
        else:
            await reader.read()
        writer.close()

    listening = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=None if mute else context)
    port = listening.sockets[0].getsockname()[1]
    tls = ssl.create_default_context(cafile=str(trusts or authority.certificate))
    credentials = Credentials(f"https://127.0.0.1:{port}", tls, server_name=name)
    async with listening, HttpApi(credentials, connect_timeout=1.0) as api:
        yield api
        await asyncio.gather(*filter(None, answering), return_exceptions=True)
        await asyncio.sleep(0)


async def watched(api: HttpApi) -> list[bytes]:
    return [line async for line in api.watch("/x", {})]


async def test_a_watch_over_tls_yields_whole_lines_however_many_records_they_take(tmp_path: Path) -> None:
    body = b"".join(b"%x\r\n%s\n\r\n" % (len(line) + 1, line) for line in LINES)
    async with server(tmp_path, HEAD, body, b"0\r\n\r\n") as api:
        assert await watched(api) == LINES


async def test_a_server_that_says_goodbye_in_the_middle_is_unreachable(tmp_path: Path) -> None:
    async with server(tmp_path, HEAD + b"4\r\none\n\r\n5\r\ntw") as api:
        lines = api.watch("/x", {})
        assert await anext(lines) == b"one"
        with pytest.raises(errors.Unreachable, match="to GET /x: the server closed the connection"):
            await anext(lines)


async def test_a_server_that_nobody_vouches_for_is_refused_before_anything_is_sent(tmp_path: Path) -> None:
    other = Authority(tmp_path / "other", "other").certificate
    async with server(tmp_path, HEAD, trusts=other) as api:
        with pytest.raises(errors.Unreachable, match="certificate verify failed"):
            await watched(api)


async def test_a_server_of_another_name_is_refused(tmp_path: Path) -> None:
    async with server(tmp_path, HEAD, name="elsewhere.example") as api:
        with pytest.raises(errors.Unreachable, match=r"not valid for 'elsewhere\.example'"):
            await watched(api)


async def test_a_server_that_never_answers_the_handshake_is_given_up_in_time(tmp_path: Path) -> None:
    async with server(tmp_path, mute=True) as api:
        with pytest.raises(errors.Unreachable, match="to GET /x: timed out"):
            await watched(api)
