"""Many pods at once: one that the API server has stored, put into etcd again and again under other names.

Creating 100,000 pods through the API server takes ten minutes of both cores. What is stored is the API server's own
encoding, in which a text may stand for another of the same length; the API server's watch cache sees each of them
as it sees any write. Nothing but a benchmark may write past the API server.
"""

import asyncio
import base64
import time
import uuid
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

import aiohttp
import msgspec

from bench.rows import BenchError
from controlplane import ControlPlane

__all__ = ["Clone", "Original", "fill", "touch"]

_CALLS: Final = 32


class Original(NamedTuple):
    """A stored pod, by what its clones replace."""

    namespace: str
    name: str
    uid: str
    owner: str


class Clone(NamedTuple):
    """One pod to be; name and owner are as long as the original's."""

    name: str
    owner: str


async def fill(plane: ControlPlane, original: Original, clones: Iterable[Clone]) -> None:
    """Store clones of a pod in its namespace.

    Raises:
        BenchError: a text is of another length, or etcd does not take it.
    """
    async with aiohttp.ClientSession(_address(plane)) as session:
        value = await _read(session, _key(original.namespace, original.name))
        queue = iter(clones)

        async def work() -> None:
            for clone in queue:
                stored = value
                uid = str(uuid.uuid4())
                pairs = zip(
                    (original.name, original.uid, original.owner), (clone.name, uid, clone.owner), strict=True
                )
                for old, new in pairs:
                    if len(old) != len(new):
                        raise BenchError(f"{new} is not as long as {old}, which it replaces")
                    stored = stored.replace(old.encode(), new.encode())
                await _put(session, _key(original.namespace, clone.name), stored)

        async with asyncio.TaskGroup() as tasks:
            for _ in range(_CALLS):
                tasks.create_task(work())


async def touch(plane: ControlPlane, namespace: str, names: Sequence[str]) -> float:
    """Write pods again as they are, which is a new version of each; events per second.

    Raises:
        BenchError: one is not there.
    """
    async with aiohttp.ClientSession(_address(plane)) as session:
        keys = [_key(namespace, name) for name in names]
        values = [await _read(session, key) for key in keys]
        queue = iter(zip(keys, values, strict=True))

        async def work() -> None:
            for key, value in queue:
                await _put(session, key, value)

        began = time.monotonic()
        async with asyncio.TaskGroup() as tasks:
            for _ in range(_CALLS):
                tasks.create_task(work())
        return len(names) / (time.monotonic() - began)


def _address(plane: ControlPlane) -> str:
    flag = "--listen-client-urls="
    return next(word.removeprefix(flag) for word in plane.etcd.argv if word.startswith(flag))


def _key(namespace: str, name: str) -> bytes:
    return f"/registry/pods/{namespace}/{name}".encode()


async def _read(session: aiohttp.ClientSession, key: bytes) -> bytes:
    answer = await _call(session, "range", {"key": key})
    found = answer.get("kvs")
    if not found:
        raise BenchError(f"etcd has no {key.decode()}")
    return base64.b64decode(found[0]["value"])


async def _put(session: aiohttp.ClientSession, key: bytes, value: bytes) -> None:
    await _call(session, "put", {"key": key, "value": value})


async def _call(
    session: aiohttp.ClientSession, what: str, body: dict[str, bytes]
) -> dict[str, list[dict[str, str]]]:
    """One call of etcd's JSON gateway; bytes are base64 there, which is how they are encoded here."""
    async with session.post(f"/v3/kv/{what}", data=msgspec.json.encode(body)) as answer:
        text = await answer.read()
        if answer.status != 200:
            raise BenchError(f"etcd refuses: {text.decode(errors='replace')[:200]}")
        found: dict[str, list[dict[str, str]]] = msgspec.json.decode(text)
        return found
