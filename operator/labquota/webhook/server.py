"""Reviews over HTTP: takes a review's body, gives its deadline on, and answers with status 200.

429 with Retry-After, which the API server repeats until its deadline, is for a replica that has not synced, and for
nothing else. A body is never answered with 413, however large: that would open the gate to whoever makes pods large.
"""

from collections.abc import Callable, Coroutine
from functools import lru_cache
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from labquota import metrics
from labquota.clock import Clock
from labquota.webhook import advising, holds, review, sources, stamper
from labquota.webhook import gate as gates
from labquota.webhook.advising import Adviser
from labquota.webhook.gate import Gate
from labquota.webhook.handling import JSON, TEXT, Reply
from labquota.webhook.messages import Request
from labquota.webhook.stamper import Stamper

PATH: Final = "/validate"
STAMP_PATH: Final = "/stamp"
ADVISE_PATH: Final = "/advise"
HOLD_PATH: Final = "/hold"
SOURCE_PATH: Final = "/source"
_PATHS: Final = (PATH, STAMP_PATH, ADVISE_PATH, HOLD_PATH, SOURCE_PATH)
_STAMP: Final = STAMP_PATH.encode()
_ADVISE: Final = ADVISE_PATH.encode()
_HOLD: Final = HOLD_PATH.encode()
_SOURCE: Final = SOURCE_PATH.encode()
MOST_BYTES: Final = 8 * 1024 * 1024
"""Two objects of 3 MiB, the most that the API server takes, and what stands around them. Larger is only what is full of
characters that JSON escapes."""
_DEFAULT_SECONDS: Final = 10.0
_MOST_SECONDS: Final = 30.0
"""The longest that the API server lets a webhook take."""
_TOO_LARGE: Final = (
    f"the AdmissionReview is larger than {MOST_BYTES // 1024 // 1024} MiB; make the pod smaller"
)
_OK: Final = b"200 OK\r\n" + JSON
_NOT_FOUND: Final[Reply] = (
    b"404 Not Found\r\n" + TEXT,
    b"there are /validate, /hold, /source, /stamp and /advise\n",
)
_ONLY_POST: Final[Reply] = (
    b"405 Method Not Allowed\r\nAllow: POST\r\n" + TEXT,
    b"POST an AdmissionReview\n",
)
_NOT_SYNCED: Final[Reply] = (b"429 Too Many Requests\r\nRetry-After: 1\r\n" + TEXT, b"not synced yet\n")


class Reviews:
    """Answers reviews: five paths, whatever their query.

    Args:
        gate: What decides.
        stamper: What stamps.
        adviser: What tells people early.
        clock: For deadlines.
        synced: Whether this replica knows what it needs.
    """

    most_bytes = MOST_BYTES

    def __init__(
        self, gate: Gate, stamper: Stamper, adviser: Adviser, clock: Clock, synced: Callable[[], bool]
    ) -> None:
        self._gate, self._stamper, self._adviser = gate, stamper, adviser
        self._clock, self._synced = clock, synced
        self.now = clock.monotonic

    def answer(self, request: Request) -> Reply | Coroutine[Any, Any, Reply]:
        """The answer to a review that has come as a whole, at once unless it needs the owner's ledger."""
        if (reply := self._no_review(request)) is not None:
            return reply
        if request.size > MOST_BYTES:
            return self._unread(request, _TOO_LARGE)
        if request.target.startswith(_STAMP):
            return self._stamped(request)
        if request.target.startswith(_ADVISE):
            return self._advised(request)
        about = request.body, _seconds(request.target), request.began
        if request.target.startswith(_HOLD):
            answer = self._gate.begin(*about, holds.decode)
        elif request.target.startswith(_SOURCE):
            answer = self._gate.begin(*about, sources.decode)
        else:
            answer = self._gate.begin(*about)
        if isinstance(answer, bytes):
            return self._answered(request, answer)
        return self._later(request, answer)

    def unread(self, request: Request, why: str) -> Reply:
        """The answer to a review that did not come as a whole."""
        return self._no_review(request) or self._unread(request, why)

    def waits(self, request: Request) -> float:
        """For how long a body is waited for: until its answer is due."""
        seconds = min(_seconds(request.target) or _DEFAULT_SECONDS, _MOST_SECONDS)
        return request.began + gates.before(seconds) - self._clock.monotonic()

    def _no_review(self, request: Request) -> Reply | None:
        if not _seconds(request.target):
            return _NOT_FOUND
        if request.method != b"POST":
            return _ONLY_POST
        if not self._synced():
            if request.target.startswith(_ADVISE):  # nobody is kept waiting for what is only advice
                return _OK, advising.unread(review.uid_in(request.body))
            metrics.ADMISSIONS.labels("not_synced").inc()
            return _NOT_SYNCED
        return None

    async def _later(self, request: Request, answer: Coroutine[Any, Any, bytes]) -> Reply:
        return self._answered(request, await answer)

    async def _stamped(self, request: Request) -> Reply:
        until = request.began + gates.before(_seconds(request.target))
        return _OK, await self._stamper.answer(request.body, until)

    async def _advised(self, request: Request) -> Reply:
        until = request.began + gates.before(_seconds(request.target))
        return _OK, await self._adviser.answer(request.body, until)

    def _unread(self, request: Request, why: str) -> Reply:
        if request.target.startswith(_STAMP):
            return _OK, stamper.unread(review.uid_in(request.body), why)
        if request.target.startswith(_ADVISE):
            return _OK, advising.unread(review.uid_in(request.body))
        return self._answered(request, self._gate.unreadable(review.uid_in(request.body), why))

    def _answered(self, request: Request, answer: bytes) -> Reply:
        metrics.ADMISSION_SECONDS.observe(self._clock.monotonic() - request.began)
        return _OK, answer


@lru_cache(maxsize=64)
def _seconds(target: bytes) -> float:
    """The API server's deadline from `/validate?timeout=10s`, of which it writes whole seconds; 0 for another path."""
    try:
        parts = urlsplit(target.decode("latin-1"))
        if parts.path not in _PATHS:
            return 0.0
        (digits, *_) = parse_qs(parts.query, max_num_fields=100).get("timeout", [""])
    except ValueError:
        return 0.0
    digits = digits.removesuffix("s")
    if digits.isascii() and digits.isdigit() and len(digits) < 4 and int(digits):
        return float(digits)
    return _DEFAULT_SECONDS
