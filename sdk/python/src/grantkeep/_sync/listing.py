# Written by generate.py from _async: edit there.
"""Lists that are fetched page by page."""

from __future__ import annotations

from typing import Any, Iterator, Callable, Generic, List, Optional, TypeVar

from ..calls import Call, CallOptions
from ..pages import Page, Walk
from ..transport import Transport

T = TypeVar("T")


class Listing(Generic[T]):
    """A list. Loop over it for every item; nothing is sent before.

    One with ``before`` is walked backward from there, page by page.
    """

    def __init__(
        self,
        transport: Transport,
        call: Call,
        read: Callable[[Any], T],
        options: Optional[CallOptions],
    ) -> None:
        self._transport = transport
        self._call = call
        self._read = read
        self._options = options

    def __iter__(self) -> Iterator[T]:
        for page in self.pages():
            for it in page.data:
                yield it

    def page(self) -> Page[T]:
        """The first page, or the one that ``after`` or ``before`` asks for."""
        return self._ask(self._call)

    def pages(self, *, backward: Optional[bool] = None) -> Iterator[Page[T]]:
        """Each page in turn: from ``after`` to the end, or from ``before`` to the beginning.

        ``backward`` says it in so many words.
        """
        for page in self._walked(Walk(self._call, backward)):
            yield page

    def all(self, limit: Optional[int] = None) -> List[T]:
        """Every item, or the first ``limit``."""
        found: List[T] = []
        if limit is not None and limit < 1:
            return found
        for page in self._walked(Walk(self._call, items=limit)):
            found.extend(page.data)
            if limit is not None and len(found) >= limit:
                break
        return found[:limit]

    def _walked(self, walk: Walk[T]) -> Iterator[Page[T]]:
        call: Optional[Call] = walk.first()
        while call is not None:
            page = self._ask(call)
            yield page
            call = walk.next(page)

    def _ask(self, call: Call) -> Page[T]:
        return self._transport.send(call, lambda raw: Page(raw, self._read), self._options)
