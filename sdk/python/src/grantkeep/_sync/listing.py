# Written by generate.py from _async: edit there.
"""Lists that are fetched page by page."""

from __future__ import annotations

from typing import Any, Iterator, Callable, Generic, List, Optional, TypeVar

from ..calls import Call, CallOptions
from ..pages import Page, Walk
from ..transport import Transport

T = TypeVar("T")


class Listing(Generic[T]):
    """A list. Loop over it for every item; nothing is sent before."""

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

    def pages(self, *, backward: bool = False) -> Iterator[Page[T]]:
        """Each page in turn. ``backward``: from what is before ``before`` to the beginning."""
        walk: Walk[T] = Walk(self._call, backward)
        call: Optional[Call] = walk.first()
        while call is not None:
            page = self._ask(call)
            yield page
            call = walk.next(page)

    def all(self, limit: Optional[int] = None) -> List[T]:
        """Every item, or the first ``limit``."""
        found: List[T] = []
        if limit == 0:
            return found
        for it in self:
            found.append(it)
            if limit is not None and len(found) >= limit:
                break
        return found

    def _ask(self, call: Call) -> Page[T]:
        return self._transport.send(call, lambda raw: Page(raw, self._read), self._options)
