"""Pages of a list, and the order in which they are asked for."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Callable, Generic, List, Optional, Set, TypeVar

from .calls import Call
from .errors import UnexpectedAnswerError

T = TypeVar("T")
#: Items that a walk through a whole list asks for at once: the most that servers give.
PAGE_ITEMS = 100


class Page(Generic[T]):
    """One page of a list."""

    def __init__(self, raw: Any, read: Callable[[Any], T]) -> None:
        data = raw.get("data") if isinstance(raw, dict) else None
        about = raw.get("page_info") if isinstance(raw, dict) else None
        if not isinstance(data, list):
            raise UnexpectedAnswerError("The server's list has no data. Is base_url right?")
        about = about if isinstance(about, dict) else {}
        self.data: List[T] = [read(it) for it in data]
        #: Items of the whole list, where the server counts them.
        self.total_count: Optional[int] = about.get("total_count")
        #: For ``before``: what comes before this page.
        self.start_cursor: Optional[str] = about.get("start_cursor")
        #: For ``after``: what comes after this page. ``None`` on the last one.
        self.end_cursor: Optional[str] = about.get("end_cursor")

    def __repr__(self) -> str:
        return f"Page({len(self.data)} of {self.total_count})"


class Walk(Generic[T]):
    """The order in which pages are asked for, forward or backward, without asking.

    Backward unless told otherwise if the call has a ``before``. ``items`` is how many are wanted in
    all, if not all of them are.
    """

    def __init__(
        self, call: Call, backward: Optional[bool] = None, items: Optional[int] = None
    ) -> None:
        if call.query.get("limit") is None:
            limit = PAGE_ITEMS if items is None else min(items, PAGE_ITEMS)
            call = replace(call, query={**call.query, "limit": limit})
        self._call = call
        self._backward = bool(call.query.get("before")) if backward is None else backward
        self._seen: Set[str] = set()

    def first(self) -> Call:
        return self._call

    def next(self, page: Page[T]) -> Optional[Call]:
        """The call for the page after this one. ``None``: there is none."""
        cursor = page.start_cursor if self._backward else page.end_cursor
        if not cursor or not page.data:
            return None
        if cursor in self._seen:
            raise UnexpectedAnswerError("The server gave the same page twice")
        self._seen.add(cursor)
        own = {"before": cursor} if self._backward else {"after": cursor}
        rest = {k: v for k, v in self._call.query.items() if k not in ("after", "before")}
        return replace(self._call, query={**rest, **own})
