"""TLS without a transport: bytes from the socket in, bytes for the socket and plain bytes out.

An event loop's own TLS goes on reading the socket while its reader is paused, and wakes the process for each record.
"""

import ssl
from typing import Final, cast

_RECORDS: Final = 128 * 1024
"""Plain bytes that are read at once: a dozen records and more."""


class Tls:
    """The client's side of one connection.

    Args:
        context: Whom to trust, and our own certificate.
        server_name: The name that the server's certificate must carry.

    Attributes:
        ready: The handshake is over.
        ended: The server has said that no more comes.
    """

    def __init__(self, context: ssl.SSLContext, server_name: str | None) -> None:
        self.ready = self.ended = False
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._object = context.wrap_bio(self._in, self._out, server_hostname=server_name)
        self._plain = memoryview(bytearray(_RECORDS))

    def take(self, data: bytes | memoryview) -> bytes:
        """Take what came from the socket; the plain bytes in it.

        Raises:
            ssl.SSLError: It is no TLS, or nobody to be trusted.
        """
        self._in.write(data)
        if not self.ready:
            try:
                self._object.do_handshake()
            except ssl.SSLWantReadError:
                return b""
            self.ready = True
        size, parts = 0, []
        while True:
            try:
                read = cast(
                    "int", self._object.read(_RECORDS - size, self._plain[size:])
                )  # an int, with a buffer
            except ssl.SSLWantReadError:
                break
            except ssl.SSLZeroReturnError:
                read = 0
            if not read:
                self.ended = True
                break
            size += read
            if size == _RECORDS:
                parts.append(bytes(self._plain))
                size = 0
        last = bytes(self._plain[:size])
        return b"".join((*parts, last)) if parts else last

    def seal(self, data: bytes) -> None:
        """Take plain bytes that are to be sent."""
        self._object.write(data)

    def to_send(self) -> bytes:
        """What the socket has to be given now."""
        return self._out.read()
