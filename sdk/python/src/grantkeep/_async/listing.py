"""Lists that are fetched page by page."""

from __future__ import annotations

from typing import Any, AsyncIterator, Callable, Generator, Generic, List, Optional, TypeVar

from ..calls import Call, CallOptions
from ..pages import Page, Walk
from ..transport import AsyncTransport

T = TypeVar("T")


class AsyncListing(Generic[T]):
    """A list. Loop over it for every item; nothing is sent before.

    One with ``before`` is walked backward from there, page by page.
    """

    def __init__(
        self,
        transport: AsyncTransport,
        call: Call,
        read: Callable[[Any], T],
        options: Optional[CallOptions],
    ) -> None:
        self._transport = transport
        self._call = call
        self._read = read
        self._options = options

    async def __aiter__(self) -> AsyncIterator[T]:
        async for page in self.pages():
            for it in page.data:
                yield it

    # Only async: a list of the other client is not awaited.
    def __await__(self) -> Generator[Any, None, Page[T]]:
        return self.page().__await__()

    # End of only async.

    async def page(self) -> Page[T]:
        """The first page, or the one that ``after`` or ``before`` asks for."""
        return await self._ask(self._call)

    async def pages(self, *, backward: Optional[bool] = None) -> AsyncIterator[Page[T]]:
        """Each page in turn: from ``after`` to the end, or from ``before`` to the beginning.

        ``backward`` says it in so many words.
        """
        async for page in self._walked(Walk(self._call, backward)):
            yield page

    async def all(self, limit: Optional[int] = None) -> List[T]:
        """Every item, or the first ``limit``."""
        found: List[T] = []
        if limit is not None and limit < 1:
            return found
        async for page in self._walked(Walk(self._call, items=limit)):
            found.extend(page.data)
            if limit is not None and len(found) >= limit:
                break
        return found[:limit]

    async def _walked(self, walk: Walk[T]) -> AsyncIterator[Page[T]]:
        call: Optional[Call] = walk.first()
        while call is not None:
            page = await self._ask(call)
            yield page
            call = walk.next(page)

    async def _ask(self, call: Call) -> Page[T]:
        return await self._transport.send(call, lambda raw: Page(raw, self._read), self._options)
