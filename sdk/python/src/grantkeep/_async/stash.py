"""Files that actions read and write, kept for a day."""

from __future__ import annotations

from typing import Optional

from ..calls import Call, CallOptions, path
from ..transport import AsyncTransport
from .proxy import AsyncAppAnswer


class AsyncFileStash:
    """Files that actions read and write, kept for a day."""

    def __init__(self, transport: AsyncTransport) -> None:
        self._transport = transport

    async def download(
        self, s3_key: str, *, options: Optional[CallOptions] = None
    ) -> AsyncAppAnswer:
        """The file, while it comes: read it, or close it."""
        at = path(self._transport.settings, "/v1/connect/{project}/file_stash/download")
        call = Call("GET", at, query={"s3_key": s3_key}, headers={"accept": "*/*"})
        return AsyncAppAnswer(await self._transport.open(call, options))
