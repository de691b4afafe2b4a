"""What stands between HTTP and what is asked over it: a handler takes whole requests and gives replies."""

from collections.abc import Coroutine
from typing import Any, Final, Protocol

from labquota.webhook.messages import Request

__all__ = ["CUT", "JSON", "TEXT", "Handler", "Reply"]

CUT: Final = "the AdmissionReview did not arrive as a whole"

Reply = tuple[bytes, bytes]
"""Status line and headers, each with its line end, and the body."""
JSON: Final = b"Content-Type: application/json\r\n"
TEXT: Final = b"Content-Type: text/plain; charset=utf-8\r\n"


class Handler(Protocol):
    """What answers requests."""

    most_bytes: int
    """The largest body; of a larger one the beginning is kept, and its size tells."""

    def now(self) -> float:
        """The monotonic time by which requests begin."""
        ...

    def answer(self, request: Request) -> Reply | Coroutine[Any, Any, Reply]:
        """The answer to a whole request, or what will come to it."""
        ...

    def unread(self, request: Request, why: str) -> Reply:
        """The answer to a request whose body does not come as a whole."""
        ...

    def waits(self, request: Request) -> float:
        """For how many seconds from now on a body is waited for whose head is complete."""
        ...
