"""Calls to the API server, as the rest of labquota knows them: bytes in, bytes out.

`client.HttpApi` makes them over HTTP/1.1, and a simulated cluster may be another. Decoding belongs to the callers, who
know which few fields they want.
"""

from collections.abc import AsyncGenerator, Mapping
from typing import Final, Protocol

MERGE_PATCH: Final = "application/merge-patch+json"
JSON_PATCH: Final = "application/json-patch+json"

Params = Mapping[str, str]


class Api(Protocol):
    """The API server, as far as labquota uses it.

    Every method raises `errors.ApiError` or a subclass when the API server refuses, and `errors.Unreachable` when
    no answer came. Paths begin with a slash and are already escaped. Time-outs are in seconds; None means the
    client's own.
    """

    async def get(self, path: str, params: Params | None = None, *, timeout: float | None = None) -> bytes:  # noqa: ASYNC109  the deadline covers connection and body too
        """Read an object or a list."""
        ...

    def read(
        self,
        path: str,
        params: Params,
        *,
        timeout: float | None = None,
    ) -> AsyncGenerator[bytes, None]:
        """Read an object or a list as it comes: the parts of its body."""
        ...

    async def create(
        self,
        path: str,
        body: bytes,
        params: Params | None = None,
        *,
        timeout: float | None = None,  # noqa: ASYNC109  as in get
    ) -> bytes:
        """Create an object in a collection (POST)."""
        ...

    async def replace(self, path: str, body: bytes, *, timeout: float | None = None) -> bytes:  # noqa: ASYNC109  as in get
        """Replace an object (PUT): a compare-and-swap where the body carries a resourceVersion.

        When a kept-alive connection dies under the call it is sent once more. If the first had arrived after all,
        the second ends in `errors.Conflict`, so a caller who must know reads the object afresh.
        """
        ...

    async def patch(
        self,
        path: str,
        body: bytes,
        content_type: str = MERGE_PATCH,
        params: Params | None = None,
        *,
        timeout: float | None = None,  # noqa: ASYNC109  as in get
    ) -> bytes:
        """Patch an object."""
        ...

    async def delete(self, path: str, body: bytes | None = None, *, timeout: float | None = None) -> bytes:  # noqa: ASYNC109  as in get
        """Delete an object; `body` is DeleteOptions, for preconditions."""
        ...

    def watch(self, path: str, params: Params) -> AsyncGenerator[bytes, None]:
        """Watch a collection: one JSON event each, until the server ends the stream or the caller closes it."""
        ...
