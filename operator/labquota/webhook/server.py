"""HTTP: reads a review's body, gives its deadline on, and answers with status 200.

429 with Retry-After, which the API server repeats until its deadline, is for a replica that has not synced, and for
nothing else.
"""

from collections.abc import Callable
from typing import Final

from aiohttp import web

from labquota import metrics
from labquota.clock import Clock
from labquota.webhook.gate import Gate

PATH: Final = "/validate"
_MOST_BYTES: Final = 64 * 1024 * 1024
"""Above anything that the API server sends; a body cut off by us would open the gate."""
_DEFAULT_SECONDS: Final = 10.0


def application(gate: Gate, clock: Clock, synced: Callable[[], bool]) -> web.Application:
    """The webhook's own application: one path, whatever its query."""

    async def validate(request: web.Request) -> web.Response:
        if not synced():
            metrics.ADMISSIONS.labels("not_synced").inc()
            return web.Response(status=429, headers={"Retry-After": "1"}, text="not synced yet\n")
        began = clock.monotonic()
        try:
            body = await request.read()
        except ConnectionResetError:
            raise web.HTTPBadRequest from None  # the API server is gone, and nobody reads this
        answer = await gate.answer(body, _seconds(request.query.get("timeout", "")))
        metrics.ADMISSION_SECONDS.observe(clock.monotonic() - began)
        return web.Response(body=answer, content_type="application/json")

    app = web.Application(client_max_size=_MOST_BYTES)
    app.router.add_post(PATH, validate)
    return app


def _seconds(timeout: str) -> float:
    """The API server's deadline from `?timeout=10s`; it writes whole seconds."""
    digits = timeout.removesuffix("s")
    if digits.isascii() and digits.isdigit() and len(digits) < 4 and int(digits):
        return float(digits)
    return _DEFAULT_SECONDS
