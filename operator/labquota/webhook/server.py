"""HTTP: reads a review's body, gives its deadline on, and answers with status 200.

429 with Retry-After, which the API server repeats until its deadline, is for a replica that has not synced, and for
nothing else. A body is never answered with 413, however large: that would open the gate to whoever makes pods large.
"""

import asyncio
from collections.abc import Callable
from typing import Final

import aiohttp
from aiohttp import http_exceptions, web

from labquota import metrics
from labquota.clock import Clock
from labquota.webhook import gate as gates
from labquota.webhook import review
from labquota.webhook.gate import Gate

PATH: Final = "/validate"
MOST_BYTES: Final = 8 * 1024 * 1024
"""Two objects of 3 MiB, the most that the API server takes, and what stands around them. Larger is only what is full of
characters that JSON escapes."""
_DEFAULT_SECONDS: Final = 10.0
_TOO_LARGE: Final = (
    f"the AdmissionReview is larger than {MOST_BYTES // 1024 // 1024} MiB; make the pod smaller"
)
_CUT: Final = "the AdmissionReview did not arrive as a whole"


class _Unread(Exception):  # noqa: N818  names what is wrong
    """A body that is not taken.

    Attributes:
        head: Its first bytes.
    """

    def __init__(self, head: bytes, text: str) -> None:
        super().__init__(text)
        self.head = head


def application(gate: Gate, clock: Clock, synced: Callable[[], bool]) -> web.Application:
    """The webhook's own application: one path, whatever its query."""

    async def validate(request: web.Request) -> web.Response:
        if not synced():
            metrics.ADMISSIONS.labels("not_synced").inc()
            return web.Response(status=429, headers={"Retry-After": "1"}, text="not synced yet\n")
        began = clock.monotonic()
        seconds = _seconds(request.query.get("timeout", ""))
        try:
            body = await _read(request.content, gates.before(seconds))
        except _Unread as error:
            answer = gate.unreadable(review.uid_in(error.head), str(error))
        except OSError:
            raise web.HTTPBadRequest from None  # the API server is gone, and nobody reads this
        else:
            answer = await gate.answer(body, seconds, began)
        metrics.ADMISSION_SECONDS.observe(clock.monotonic() - began)
        return web.Response(body=answer, content_type="application/json")

    app = web.Application()
    app.router.add_post(PATH, validate)
    return app


async def _read(content: aiohttp.StreamReader, seconds: float) -> bytes:
    """The whole body. Of one that is too large the rest is read and dropped: who still writes reads no answer.

    Raises:
        _Unread: It is too large, cut off or too slow.
        OSError: Whoever sent it is gone.
    """
    chunks: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(seconds):
            while chunk := await content.readany():
                size += len(chunk)
                if size <= MOST_BYTES:
                    chunks.append(chunk)
    except (
        TimeoutError,
        aiohttp.ClientPayloadError,
        web.RequestPayloadError,
        http_exceptions.HttpProcessingError,
    ):
        raise _Unread(b"".join(chunks), _CUT) from None
    body = b"".join(chunks)
    if size > MOST_BYTES:
        raise _Unread(body, _TOO_LARGE)
    return body


def _seconds(timeout: str) -> float:
    """The API server's deadline from `?timeout=10s`; it writes whole seconds."""
    digits = timeout.removesuffix("s")
    if digits.isascii() and digits.isdigit() and len(digits) < 4 and int(digits):
        return float(digits)
    return _DEFAULT_SECONDS
