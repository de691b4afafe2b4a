"""A whole list, page by page, as one consistent snapshot, without holding the loop."""

import logging
import random
from collections.abc import Callable, Mapping
from contextlib import aclosing
from typing import Generic, TypeVar

import msgspec

from labquota import metrics
from labquota.clock import Clock
from labquota.kube import errors, events, nesting
from labquota.kube.api import Api
from labquota.kube.breather import Breather
from labquota.kube.pages import Pages

log = logging.getLogger(__name__)

T = TypeVar("T")


class Decoder(Generic[T]):
    """Decodes objects and survives those that it cannot: one strange object must not blind us to all others.

    What is nested too deeply is decoded without its depths (`nesting`): left out, whoever wrote it would be free of it.
    """

    def __init__(self, path: str, decode: Callable[[msgspec.Raw], T]) -> None:
        self._path = path
        self._decode = decode

    def __call__(self, raw: msgspec.Raw) -> T | None:
        """Return the object, or None after a line in the log."""
        try:
            try:
                return self._decode(raw)
            except (RecursionError, msgspec.DecodeError):
                whole = bytes(raw)
                if (pruned := nesting.pruned(whole)) == whole:
                    raise
                raw = msgspec.Raw(pruned)
                return self._decode(raw)
        except Exception as error:  # noqa: BLE001  whatever the caller's decoder raises: the next object must be read
            metrics.DECODE_FAILURES.labels(self._path).inc()
            log.error(  # noqa: TRY400  a traceback through a decoder tells less than the object's name
                "cannot decode an object of %s, going on without it: %s",
                self._path,
                error,
                extra={"object": _named(raw)},
            )
            return None


class Listing(Generic[T]):
    """Lists one collection.

    Args:
        api: the API server.
        path: the collection's path.
        decode: makes an object of its bytes.
        clock: measures how long the loop is held.
        rng: jitter between tries of one page.
        params: selectors.
        page: the most objects in one page. A page is one piece of work for API server and decoder alike.
    """

    def __init__(
        self,
        api: Api,
        path: str,
        decode: Decoder[T],
        *,
        clock: Clock,
        rng: random.Random,
        params: Mapping[str, str],
        page: int,
    ) -> None:
        self._api = api
        self._path = path
        self._decode = decode
        self._rng = rng
        self._params = {**params, "limit": str(page)}
        self._breather = Breather(clock)

    async def all(self, alive: Callable[[], None]) -> tuple[list[T], str]:
        """Read everything, as of one resource version that is at least as new as this call.

        Args:
            alive: called for each page that arrives.

        Raises:
            errors.Gone: the snapshot expired while it was read. The API server then offers a token that goes on with a
                newer state; such a list never existed, so it is not taken, and the caller begins anew.
            errors.KubeError: the list could not be read.
        """
        found: list[T] = []
        version = ""
        pages = Pages(self._api, self._path, self._params, self._rng)
        async with aclosing(pages.all()) as coming:
            async for page in coming:
                alive()
                self._breather.begin()
                if version and page.metadata.resource_version != version:
                    raise errors.Expired(
                        410, "Expired", f"the list of {self._path} changed its version between two pages"
                    )
                version = page.metadata.resource_version
                for raw in page.items or ():
                    item = self._decode(raw)
                    if item is not None:
                        found.append(item)
                    if self._breather.due():
                        await self._breather.breathe()
        return found, version


def _named(raw: msgspec.Raw) -> str:
    try:
        found = events.meta(raw).metadata
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return "unknown"
    return f"{found.namespace}/{found.name}" if found.namespace else found.name
