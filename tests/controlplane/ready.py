"""Whether a server answers that it is ready. These never raise: no answer is a no."""

import http.client
from collections.abc import Callable

from controlplane.client import Client

__all__ = ["over_http", "over_https"]


def over_http(port: int, path: str = "/readyz") -> Callable[[], bool]:
    """Asks a server on loopback without TLS."""

    def ready() -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
        try:
            connection.request("GET", path)
            return connection.getresponse().status == 200
        except (http.client.HTTPException, OSError):
            return False
        finally:
            connection.close()

    return ready


def over_https(client: Client) -> Callable[[], bool]:
    """Asks an API server as the client's user."""

    def ready() -> bool:
        try:
            return client.call("GET", "/readyz")[0] == 200
        except (http.client.HTTPException, OSError):
            return False

    return ready
