"""A list page by page, the next pages asked for while one is on its way: each says at its head where the next begins.

The API server writes a list at a hundred kilobytes a millisecond at best, with one core. Asked for one page after the
other, a hundred thousand pods take nine seconds without anybody reading them; three at a time, six.
"""

import asyncio
import random
from collections import deque
from collections.abc import AsyncGenerator, Mapping

from labquota.kube import errors, events
from labquota.kube.api import Api
from labquota.kube.backoff import Backoff

PAGE_SECONDS = 15.0
"""Time-out of one page, which takes a tenth of a second: whoever waits longer waits for an answer that is lost."""

PAGE_TRIES = 5
"""How often one page is asked for before the list begins anew."""

AHEAD = 3
"""Pages on their way at once."""


class _Page:
    """One page that is on its way."""

    def __init__(self, token: str) -> None:
        self.token = token
        self.more: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        """The token of the next one; empty after the last."""
        self.task: asyncio.Task[events.Page]


class Pages:
    """Reads one collection.

    Args:
        api: the API server.
        path: the collection's path.
        params: selectors, and the most objects of one page.
        rng: jitter between tries of one page.
    """

    def __init__(self, api: Api, path: str, params: Mapping[str, str], rng: random.Random) -> None:
        self._api, self._path, self._params, self._rng = api, path, params, rng
        self._coming: deque[_Page] = deque()
        self._last: _Page

    async def all(self) -> AsyncGenerator[events.Page, None]:
        """The pages in their order; whoever has seen the last one has seen the whole list.

        Raises:
            errors.KubeError: one of them could not be read.
        """
        self._ask("")
        try:
            while self._coming:
                page = await self._coming[0].task
                self._coming.popleft()
                self._grow()
                yield page
        finally:
            left = [each.task for each in self._coming]
            self._coming.clear()
            for task in left:
                task.cancel()
            await asyncio.gather(*left, return_exceptions=True)

    def _ask(self, token: str) -> None:
        self._last = page = _Page(token)
        page.more.add_done_callback(lambda _: self._grow())
        page.task = asyncio.create_task(self._read(page))
        self._coming.append(page)

    def _grow(self) -> None:
        """Ask for the next page, where it is known and there is room."""
        last = self._last
        if (
            len(self._coming) < AHEAD
            and last.more.done()
            and not last.more.cancelled()
            and last.more.result()
        ):
            self._ask(last.more.result())

    async def _read(self, asked: _Page) -> events.Page:
        params = {**self._params, "continue": asked.token} if asked.token else self._params
        backoff = Backoff(self._rng)
        while True:
            try:
                page = events.page(await self._body(asked, params))
            except errors.KubeError as error:
                if not errors.passing(error) or backoff.failures >= PAGE_TRIES:
                    raise
                await asyncio.sleep(backoff.after(error))
            else:
                if not asked.more.done():
                    asked.more.set_result(page.metadata.more)
                return page

    async def _body(self, asked: _Page, params: Mapping[str, str]) -> bytes:
        parts: list[bytes] = []
        async for part in self._api.read(self._path, params, timeout=PAGE_SECONDS):
            parts.append(part)
            if len(parts) == 1 and not asked.more.done() and (head := events.head(part)) is not None:
                asked.more.set_result(head.more)
        return b"".join(parts)
