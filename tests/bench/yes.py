"""The webhook that says yes: as little as a webhook on labquota's own server stack can do.

`python -m bench.yes PORT CERTIFICATE KEY CAPTURE`: it also keeps the last review that carries `CAPTURED` in the file
CAPTURE, so that the same bytes can be sent to labquota.
"""

import asyncio
import sys
from pathlib import Path

import msgspec
import uvloop
from aiohttp import web

from labquota.serving import listen, tls_context

__all__ = ["CAPTURED"]

CAPTURED = "bench-captured"


class _Request(msgspec.Struct, gc=False):
    uid: str


class _Review(msgspec.Struct, gc=False):
    request: _Request


def application(capture: Path) -> web.Application:
    """Answers every review on any path."""
    decoder = msgspec.json.Decoder(_Review)
    mark = CAPTURED.encode()

    async def validate(request: web.Request) -> web.Response:
        body = await request.read()
        if mark in body:
            _keep(body, capture)
        response = {"uid": decoder.decode(body).request.uid, "allowed": True}
        review = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response}
        return web.Response(body=msgspec.json.encode(review), content_type="application/json")

    app = web.Application(client_max_size=2**26)
    app.router.add_post("/{path:.*}", validate)
    return app


def _keep(body: bytes, capture: Path) -> None:
    whole = capture.with_suffix(".part")
    whole.write_bytes(body)
    whole.rename(capture)


async def _serve(port: int, certificate: str, key: str, capture: Path) -> None:
    await listen(application(capture), "127.0.0.1", port, tls=tls_context(certificate, key))
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(_serve(int(sys.argv[1]), sys.argv[2], sys.argv[3], Path(sys.argv[4])))
