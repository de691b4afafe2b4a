"""Lends a port of loopback to other namespaces: who connects to it in there reaches the same port out here.

Run as a script: `python -I -S relay.py PID PORT`. The listening socket is made inside and served outside, so that
neither the machine's addresses nor its routes change, and the address in a kubeconfig holds on both sides.
"""

import asyncio
import contextlib
import ctypes
import os
import socket
import sys

CLONE_NEWNET = 0x40000000
AT_ONCE = 65536


def main() -> None:
    pid, port = int(sys.argv[1]), int(sys.argv[2])
    outside = os.open("/proc/self/ns/net", os.O_RDONLY)
    _enter(os.open(f"/proc/{pid}/ns/net", os.O_RDONLY))
    listening = socket.create_server(("127.0.0.1", port))
    _enter(outside)
    asyncio.run(_serve(listening, port))


def _enter(namespace: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(namespace, CLONE_NEWNET):
        sys.exit(f"relay: cannot enter a network namespace: {os.strerror(ctypes.get_errno())}")


async def _serve(listening: socket.socket, port: int) -> None:
    async def link(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            writer.transport.abort()
            return
        await asyncio.gather(_pump(reader, far_writer), _pump(far_reader, writer))

    async with await asyncio.start_server(link, sock=listening) as server:
        await server.serve_forever()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(AT_ONCE):
            writer.write(data)
            await writer.drain()
    with contextlib.suppress(OSError, RuntimeError):
        writer.close()


if __name__ == "__main__":
    main()
