"""PodResources v1 on a unix socket, by gRPC's own server."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Self

import grpc

__all__ = ["Serving"]

_SERVICE = "v1.PodResourcesLister"


class Serving:
    """Answers `List` and `GetAllocatableResources` until it is closed.

    Args:
        path: of the socket; about a hundred characters at most.
        listed: the reply of `List`, as bytes.
        offered: the reply of `GetAllocatableResources`, as bytes.

    Attributes:
        calls: how many were answered.
        refuses: a status that every call is answered with, and its message; None: none.
        stuck: no call is answered until this is false again.
    """

    def __init__(self, path: Path, listed: Callable[[], bytes], offered: Callable[[], bytes]) -> None:
        self.path, self.calls = path, 0
        self.refuses: tuple[Any, str] | None = None
        self.stuck = False
        self._closed = threading.Event()
        answers = {"List": listed, "GetAllocatableResources": offered}
        handlers = {
            name: grpc.unary_unary_rpc_method_handler(self._by(answer)) for name, answer in answers.items()
        }
        self._server = grpc.server(ThreadPoolExecutor(4), options=[("grpc.so_reuseport", 0)])
        self._server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(_SERVICE, handlers),))

    def start(self) -> Self:
        """Listen."""
        self.path.unlink(missing_ok=True)
        self._server.add_insecure_port(f"unix:{self.path}")
        self._server.start()
        return self

    def close(self) -> None:
        """Stop at once; the socket is gone."""
        self._closed.set()
        self._server.stop(0).wait(5)
        self.path.unlink(missing_ok=True)

    def _by(self, answer: Callable[[], bytes]) -> Callable[[bytes, Any], bytes]:
        def handle(request: bytes, context: Any) -> bytes:
            del request
            while self.stuck and context.is_active() and not self._closed.wait(0.05):
                pass
            if self.refuses is not None:
                context.abort(*self.refuses)
            self.calls += 1
            return answer()

        return handle
