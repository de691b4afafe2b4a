"""The webhook that says yes: as little as a webhook on labquota's own server stack can do.

`python -m bench.yes PORT CERTIFICATE KEY CAPTURE`: it also keeps the last review that carries `CAPTURED` in the file
CAPTURE, so that the same bytes can be sent to labquota.
"""

import asyncio
import sys
import time
from pathlib import Path

import msgspec
import uvloop

from labquota.serving import tls_context
from labquota.webhook.handling import JSON, Reply
from labquota.webhook.listening import listen
from labquota.webhook.messages import Request

__all__ = ["CAPTURED"]

CAPTURED = "bench-captured"


class _Request(msgspec.Struct, gc=False):
    uid: str


class _Review(msgspec.Struct, gc=False):
    request: _Request


class Yes:
    """Answers every review on any path."""

    most_bytes = 2**26
    now = time.monotonic

    def __init__(self, capture: Path) -> None:
        self._capture, self._mark = capture, CAPTURED.encode()
        self._decoder = msgspec.json.Decoder(_Review)

    def answer(self, request: Request) -> Reply:
        """Yes."""
        body = request.body
        if self._mark in body:
            _keep(body, self._capture)
        response = {"uid": self._decoder.decode(body).request.uid, "allowed": True}
        review = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response}
        return b"200 OK\r\n" + JSON, msgspec.json.encode(review)

    def unread(self, request: Request, why: str) -> Reply:
        """Does not happen here."""
        raise ValueError(f"{request.size} bytes: {why}")

    def waits(self, request: Request) -> float:
        """Long enough."""
        del request
        return 10.0


def _keep(body: bytes, capture: Path) -> None:
    whole = capture.with_suffix(".part")
    whole.write_bytes(body)
    whole.rename(capture)


async def _serve(port: int, certificate: str, key: str, capture: Path) -> None:
    await listen(Yes(capture), "127.0.0.1", port, tls=tls_context(certificate, key))
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(_serve(int(sys.argv[1]), sys.argv[2], sys.argv[3], Path(sys.argv[4])))
