"""One connection of the webhook's server: requests in their order, each answered, none waited for without an end.

Who sends slowly, nothing, too much or no HTTP costs a bounded time and little memory. A review that does not arrive
as a whole is refused in time: the API server takes everything but an answer for a failure of the webhook.
"""

import asyncio
import logging
import math
import ssl
from typing import Final

from labquota.webhook.crowd import Crowd
from labquota.webhook.handling import CUT, TEXT, Handler, Reply
from labquota.webhook.messages import Malformed, Reader, Request
from labquota.webhook.wire import Wire

log = logging.getLogger(__name__)

IDLE_SECONDS: Final = 120.0
"""The API server keeps idle connections for 90 s and does not repeat a POST that dies on a closed one."""
HEAD_SECONDS: Final = 10.0
"""For a TLS handshake, for a request's head, and for whoever does not read an answer."""
LINGER_SECONDS: Final = 2.0
"""For who is answered before all is sent: were the connection closed at once, the answer could be lost on its way."""
_BAD: Final = b"400 Bad Request\r\n" + TEXT
_FAILED: Final[Reply] = (b"500 Internal Server Error\r\n" + TEXT, b"failed; the log says why\n")


class Connection(Wire):
    """One connection.

    Args:
        handler: What answers.
        crowd: All connections.
        tls: The server's TLS context; None for plain text.
        loop: The running loop.

    Attributes:
        due: The loop's time at which it has been waited for long enough.
        held: Bytes of an unfinished body.
    """

    def __init__(
        self,
        handler: Handler,
        crowd: Crowd,
        tls: ssl.SSLContext | None,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        super().__init__(tls)
        self._handler, self._crowd, self._loop = handler, crowd, loop
        self._reader = Reader(handler.now, handler.most_bytes)
        self._answering: asyncio.Task[Reply] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._turn: asyncio.Handle | None = None
        self._wrong = ""
        self._served = self._over = self._ended = False
        self.held = 0
        self._since = loop.time()
        self.due = self._since + HEAD_SECONDS

    @property
    def standing(self) -> tuple[int, float]:
        """How much would be lost with it, and since when: the least goes first when there are too many."""
        if self._answering is not None:
            return 3, self._since
        if self._timer is not None:
            return 2, self._since
        return (1 if self._served and not self._over else 0), self._since

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the connection that stands now."""
        super().connection_made(transport)
        self._crowd.join(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone. What is in flight is still judged: it may have been reserved already."""
        del exc
        self.closed = True
        self._settle()
        self._reader.close()
        self._crowd.leave(self)

    def opened(self) -> None:
        """Wait for requests."""
        self.due = self._loop.time() + IDLE_SECONDS

    def taken(self, data: bytes | memoryview) -> None:
        """Take some bytes of requests."""
        if self._over:
            return  # answered; what still comes is read only so that the answer is
        try:
            self._reader.feed(data)
        except Malformed as error:
            self._wrong = str(error)
        self._go_on()

    def ended(self) -> None:
        """Nothing more will come: answer what has come."""
        self._ended = True
        if self._answering is None and self._turn is None and not self.closed:
            request = self._reader.current
            if request is not None and request.headed and not self._over:
                self.refuse(CUT)
            self.close()

    def _go_on(self) -> None:
        """Answer what is whole, one after the other, each in a turn of the loop of its own, and wait for the rest."""
        reader = self._reader
        if reader.whole and self._answering is None and self._turn is None and not self._over:
            self._answer(reader.whole.popleft())
        if self._over or self.closed:
            return
        if self._answering is not None:
            self.transport.pause_reading()
        elif reader.whole:
            if (
                self._turn is None
            ):  # others first: one client's hundred requests are not to be answered in one go
                self.transport.pause_reading()
                self._turn = self._loop.call_soon(self._next)
        elif self._wrong:
            self._refuse_malformed()
        elif reader.current is not None:
            if reader.current.headed:
                self._wait(reader.current)
            else:
                self.due = min(self.due, self._loop.time() + HEAD_SECONDS)

    def _next(self) -> None:
        """Answer the next one of those that came together."""
        self._turn = None
        if self.closed or self.transport.is_closing():
            return
        if len(self._reader.whole) <= 1:
            self.transport.resume_reading()
        self._go_on()

    def _answer(self, request: Request) -> None:
        self._settle()
        try:
            answer = self._handler.answer(request)
        except Exception:
            log.exception("a request cannot be answered")
            answer = _FAILED
        if isinstance(answer, tuple):
            self._reply(request, answer)
            return
        self._answering = task = self._loop.create_task(answer)
        self.due = math.inf
        task.add_done_callback(lambda done: self._answered(request, done))

    def _answered(self, request: Request, task: asyncio.Task[Reply]) -> None:
        self._answering = None
        if task.cancelled() or (error := task.exception()) is None:
            reply = _FAILED if task.cancelled() else task.result()
        else:
            log.error("a request cannot be answered", exc_info=error)
            reply = _FAILED
        if self.closed or self.transport.is_closing():
            return
        self._reply(request, reply)
        if not self.closed:
            self.transport.resume_reading()
            self._go_on()

    def _wait(self, request: Request) -> None:
        """Wait for the rest of a body."""
        if self._timer is None:
            self._timer = self._loop.call_later(max(0.0, self._handler.waits(request)), self.refuse, CUT)
            self._since, self.due = self._loop.time(), math.inf
            if request.expects == b"100-continue" and not request.size:
                self.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        self._crowd.hold(self, request.kept)

    def refuse(self, why: str) -> None:
        """Answer a request whose body is not waited for any longer, and read no other."""
        request = self._reader.current
        if request is not None and not self._over:
            request.keeps = False
            self._reply(request, self._handler.unread(request, why))
            request.drop()  # the connection may linger

    def _refuse_malformed(self) -> None:
        request = self._reader.current
        if request is not None and request.headed:
            self.refuse(CUT)
        else:
            request = Request()
            self._reply(request, (_BAD, f"{self._wrong}\n".encode()))

    def _reply(self, request: Request, reply: Reply) -> None:
        head, body = reply
        keeps = request.keeps and not self._crowd.leaving and not self._ended
        close = b"" if keeps else b"Connection: close\r\n"
        shown = b"" if request.method == b"HEAD" else body
        self.send(b"HTTP/1.1 %b%bContent-Length: %d\r\n\r\n%b" % (head, close, len(body), shown))
        self._served, self._since = True, self._loop.time()
        if keeps:
            self.due = self._since + IDLE_SECONDS
            return
        unfinished = self._reader.current is not None or self._wrong
        self._over = True
        self._settle()
        self.due = self._since + LINGER_SECONDS
        if self._ended or not unfinished:
            self.close()

    def _settle(self) -> None:
        """No body is waited for any longer."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self.held:
            self._crowd.hold(self, 0)

    def pause_writing(self) -> None:
        """The client does not read its answers: neither are its requests read."""
        self.due = self._loop.time() + HEAD_SECONDS
        if not self.closed:
            self.transport.pause_reading()

    def resume_writing(self) -> None:
        """The client reads again."""
        if not self.closed and self._answering is None:
            self.due = self._loop.time() + IDLE_SECONDS
            self.transport.resume_reading()

    def retire(self) -> None:
        """End it, unless a request is under way: then its answer is the last."""
        if self._answering is None and self._reader.current is None and not self._reader.whole:
            self.close()

    def expire(self) -> None:
        """It has been waited for long enough."""
        if self.closed:
            self.transport.abort()  # the client does not take what was sent
        else:
            self.close()
            self.due = self._loop.time() + LINGER_SECONDS
