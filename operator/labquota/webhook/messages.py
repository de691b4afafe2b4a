"""HTTP/1.1 requests out of bytes, by the parser that Node.js and uvicorn use (llhttp), in its strict form.

Content-Length beside Transfer-Encoding, a bare line feed, a folded header: whatever two servers could read in two ways
is an error here. The parser bounds nothing, so heads, trailers and bodies are bounded here.
"""

from collections import deque
from collections.abc import Callable
from typing import Final

import httptools

MOST_HEAD: Final = 64 * 1024
"""Bytes that may come in a row without one of a body: request line and headers, a chunk's extensions, trailers."""
MOST_PIPELINED: Final = 64
"""Requests on one connection that wait for the one before. The API server sends none before it has its answer."""
_KEPT: Final = 4096
"""What is kept of a body that is too large: the first bytes say which review it is."""


class Malformed(Exception):  # noqa: N818  names what is wrong
    """What came is no HTTP request, or one that nobody needs to send."""


class Request:
    """One request, as far as it has come.

    Attributes:
        began: When its head was complete, in monotonic seconds.
        size: Bytes of the body that have come; `body` holds them unless they are too many.
        headed: Whether the head is complete.
        keeps: Whether the connection stays open after the answer.
        expects: What the client wants to hear before it sends the body (`100-continue`).
    """

    __slots__ = ("_first", "_more", "began", "expects", "headed", "keeps", "method", "size", "target")

    def __init__(self) -> None:
        self.began = 0.0
        self.method = self.target = self.expects = b""
        self.headed = self.keeps = False
        self.size = 0
        self._first = b""
        self._more: bytearray | None = None

    @property
    def body(self) -> bytes:
        """The body; of one that is too large the beginning."""
        return self._first if self._more is None else bytes(self._more)

    @property
    def kept(self) -> int:
        """Bytes of the body that are kept."""
        return len(self._first) if self._more is None else len(self._more)

    def drop(self) -> None:
        """Let go of the body."""
        self._first, self._more = b"", None

    def take(self, part: bytes, most: int) -> None:
        """Add a part of the body, unless with it there are more than `most` bytes."""
        if not self.size:
            self._first = part  # mostly the whole
        elif self.size <= most:
            if self._more is None:
                self._more = bytearray(self._first)
            self._more += part
        self.size += len(part)
        if self.size > most:
            self._first, self._more = self.body[:_KEPT], None


class Reader:
    """Takes one connection's bytes apart.

    Args:
        now: The monotonic time.
        most: The largest body that is kept; a larger one is read and dropped.
    """

    def __init__(self, now: Callable[[], float], most: int) -> None:
        self._now, self._most = now, most
        self._parser = httptools.HttpRequestParser(self)
        self._since_body = 0
        self.current: Request | None = None
        self.whole: deque[Request] = deque()

    def feed(self, data: bytes | memoryview) -> None:
        """Take some bytes; requests that are complete now stand in `whole`, an unfinished one in `current`.

        Raises:
            Malformed: They are no HTTP. The requests in `whole` were complete before.
        """
        self._since_body += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            raise Malformed("no other protocol is spoken here") from None
        except httptools.HttpParserError as error:
            raise Malformed(str(error)) from None
        if self._since_body > MOST_HEAD:
            raise Malformed(f"more than {MOST_HEAD // 1024} KiB of headers")
        if len(self.whole) > MOST_PIPELINED:
            raise Malformed(f"more than {MOST_PIPELINED} requests before the first answer")

    def close(self) -> None:
        """Let go of the parser, which holds this reader as well."""
        del self._parser
        self.current = None
        self.whole.clear()

    def on_message_begin(self) -> None:
        """Begin a request."""
        self.current = Request()

    def on_url(self, url: bytes) -> None:
        """Take a part of the request's target."""
        if self.current is not None:
            self.current.target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header; of trailers, too, but nobody expects anything there."""
        if len(name) == 6 and name.lower() == b"expect" and self.current is not None:
            self.current.expects = value.lower()

    def on_headers_complete(self) -> None:
        """The head is complete."""
        if (request := self.current) is not None:
            request.headed, request.began = True, self._now()
            request.method, request.keeps = self._parser.get_method(), self._parser.should_keep_alive()
            if self._parser.get_http_version() == "1.0":
                request.keeps = False  # would have to be said in another way there

    def on_body(self, body: bytes) -> None:
        """Take a part of the body."""
        self._since_body = 0
        if (request := self.current) is not None:
            request.take(body, self._most)

    def on_message_complete(self) -> None:
        """The request is complete."""
        self._since_body = 0
        if self.current is not None:
            self.whole.append(self.current)
            self.current = None
