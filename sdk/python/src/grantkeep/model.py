"""What answers are made of: fields as attributes, and the JSON as it came in ``raw``."""

from __future__ import annotations

from datetime import datetime
from typing import (
    TYPE_CHECKING,
    Any,
    Callable,
    ClassVar,
    FrozenSet,
    List,
    Mapping,
    Optional,
    TypeVar,
)

from .errors import UnexpectedAnswerError

T = TypeVar("T")


class Model:
    """An object of an answer. What the server sends beyond this version's fields is in ``raw``."""

    #: How fields that are more than JSON are read.
    _read: ClassVar[Mapping[str, Callable[[Any], Any]]] = {}
    _required: ClassVar[FrozenSet[str]] = frozenset()
    _optional: ClassVar[FrozenSet[str]] = frozenset()
    #: Fields that are never printed.
    _secret: ClassVar[FrozenSet[str]] = frozenset()

    #: The object as it came.
    raw: Mapping[str, Any]

    def __init__(self, raw: Any) -> None:
        if not isinstance(raw, Mapping):
            what = type(self).__name__
            raise UnexpectedAnswerError(f"The server's {what} is not an object. Is base_url right?")
        self.raw = raw
        for name in self._required | self._optional:
            if name in raw:
                value = raw[name]
                read = self._read.get(name)
                self.__dict__[name] = value if read is None or value is None else read(value)
            elif name in self._optional:
                self.__dict__[name] = None

    def __repr__(self) -> str:
        """Without secrets."""
        shown: List[str] = []
        for name in type(self).__annotations__:
            value = self.__dict__.get(name)
            if value is None or name == "raw" or name.startswith("_"):
                continue
            shown.append(f"{name}={'<secret>' if name in self._secret else repr(value)}")
        return f"{type(self).__name__}({', '.join(shown)})"

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            """Only for what an older server does not send: that is no reason to fail before."""
            if name in self._required:
                raise AttributeError(f"the server sent no {name!r}: is it older than this client?")
            raise AttributeError(f"{type(self).__name__!r} has no {name!r}; look into raw")


def when(value: Any) -> Any:
    """A time with its zone, of ISO 8601."""
    if not isinstance(value, str):
        return value
    try:
        return datetime.fromisoformat(value.replace("Z", "+00:00"))
    except ValueError as why:
        raise UnexpectedAnswerError(f"The server's time is none: {value!r}") from why


def many(read: Callable[[Any], T]) -> Callable[[Any], List[T]]:
    """A list of objects."""

    def reader(value: Any) -> List[T]:
        if not isinstance(value, list):
            raise UnexpectedAnswerError("The server's list is none. Is base_url right?")
        return [read(it) for it in value]

    return reader


def nothing(value: Any) -> None:
    """For calls whose answer says nothing."""


def maybe(read: Callable[[Any], T]) -> Callable[[Any], Optional[T]]:
    """What may be missing."""
    return lambda value: None if value is None else read(value)


def within(field: str, read: Callable[[Any], T]) -> Callable[[Any], T]:
    """What an answer wraps."""

    def reader(value: Any) -> T:
        if not isinstance(value, Mapping):
            raise UnexpectedAnswerError("The server's answer is not an object. Is base_url right?")
        return read(value.get(field))

    return reader
