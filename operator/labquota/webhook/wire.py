"""One accepted connection below HTTP: bytes in the clear above, TLS below.

TLS is done here, over memory, and not by the event loop: the loop's own keeps a quarter of a megabyte for each
connection from its first moment on, and tells nobody of connections that never finish their handshake, so that they
could not be counted. It costs the same.
"""

import asyncio
import contextlib
import ssl
from typing import Final, cast

_RECORD: Final = 16 * 1024
"""The most that one TLS record holds. What came is taken in such pieces, so that buffers stay small."""

_clear = bytearray(_RECORD)
_view: Final = memoryview(_clear)
"""What was decrypted last, of whichever connection: it is taken before anything else is read."""


class Wire(asyncio.Protocol):
    """A connection; whoever derives from it takes what comes and sends.

    Args:
        tls: The server's TLS context; None for plain text.
    """

    def __init__(self, tls: ssl.SSLContext | None) -> None:
        self._tls = tls
        self._secure: ssl.SSLObject | None = None
        self._shaken = tls is None
        self._incoming: ssl.MemoryBIO
        self._outgoing: ssl.MemoryBIO
        self.transport: asyncio.Transport
        self.closed = False

    def opened(self) -> None:
        """The connection may carry requests now."""

    def taken(self, data: bytes | memoryview) -> None:
        """Some bytes have come; they are gone when this returns."""

    def ended(self) -> None:
        """Nothing more will come. What is sent may still be read."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the connection that stands now."""
        self.transport = cast("asyncio.Transport", transport)  # uvloop's are no subclasses of it
        if self._tls is None:
            self.opened()

    def data_received(self, data: bytes) -> None:
        """Decrypt what came, a piece at a time."""
        if len(data) <= _RECORD:
            self._take(data)
            return
        for at in range(0, len(data), _RECORD):
            if not self.closed:
                self._take(data[at : at + _RECORD])

    def _take(self, data: bytes) -> None:
        if self._tls is None:
            self.taken(data)
            return
        if self._secure is None:  # not before: who only connects costs nothing yet
            self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
            self._secure = self._tls.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self._incoming.write(data)
        try:
            self._decrypt(self._secure)
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError:  # no TLS, or none that is understood here: the alert says so
            self._flush()
            self.close()
        if not self.closed:
            self._flush()

    def _decrypt(self, secure: ssl.SSLObject) -> None:
        if not self._shaken:
            secure.do_handshake()
            self._shaken = True
            self._flush()
            self.opened()
        while self._incoming.pending and not self.closed:
            # with a buffer to read into, the number of bytes is what comes back
            count = cast("int", secure.read(_RECORD, _clear))
            if not count:  # the client says that this was all
                self.ended()
                return
            self.taken(_view[:count])

    def eof_received(self) -> bool:
        """Keep the other direction open: what is in flight is still answered."""
        self.ended()
        return True

    def send(self, data: bytes) -> None:
        """Send some bytes, in one record where they fit into one."""
        if self._secure is None:
            self.transport.write(data)
        elif not self.closed:
            self._secure.write(data)
            self.transport.write(self._outgoing.read())

    def close(self) -> None:
        """End the connection when all that was sent has left."""
        if self.closed:
            return
        self.closed = True
        if self._secure is not None and self._shaken:
            with contextlib.suppress(ssl.SSLError):
                self._secure.unwrap()  # says that this is the end and not a cut
            self._flush()
        self.transport.close()

    def abort(self) -> None:
        """End the connection at once."""
        self.closed = True
        self.transport.abort()

    def _flush(self) -> None:
        if self._outgoing.pending:
            self.transport.write(self._outgoing.read())
