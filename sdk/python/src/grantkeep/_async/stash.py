"""Files that actions read and write, kept for a day."""

from __future__ import annotations

from typing import Optional

from ..calls import Call, CallOptions, path
from ..models import StashedFile
from ..proxy import AsyncBody, awaited
from ..transport import AsyncTransport
from .proxy import AsyncAppAnswer


class AsyncFileStash:
    """Files that actions read and write, kept for a day."""

    def __init__(self, transport: AsyncTransport) -> None:
        self._transport = transport

    async def upload(
        self,
        external_user_id: str,
        name: str,
        body: AsyncBody,
        *,
        stash_id: Optional[str] = None,
        options: Optional[CallOptions] = None,
    ) -> StashedFile:
        """Takes a file of a user in: bytes, or a file or an iterator that is read as it is sent.

        With ``stash_id`` it joins the files of that stash.
        """
        at = path(self._transport.settings, "/v1/connect/{project?}/file_stash")
        call = Call(
            "POST",
            at,
            query={"external_user_id": external_user_id, "name": name, "stash_id": stash_id},
            headers={"content-type": "application/octet-stream"},
            raw=awaited(body),
        )
        answer = AsyncAppAnswer(await self._transport.open(call, options))
        return StashedFile(await answer.json())

    async def download(
        self, s3_key: str, *, options: Optional[CallOptions] = None
    ) -> AsyncAppAnswer:
        """The file, while it comes: read it, or close it."""
        at = path(self._transport.settings, "/v1/connect/{project?}/file_stash/download")
        call = Call("GET", at, query={"s3_key": s3_key}, headers={"accept": "*/*"})
        return AsyncAppAnswer(await self._transport.open(call, options))
