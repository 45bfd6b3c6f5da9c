"""As much of an HTTP/1.1 client as the mixed load needs: one that can also misbehave."""

import asyncio
import contextlib
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Iterable
from typing import NamedTuple


class Answer(NamedTuple):
    status: int
    fields: dict[str, str]
    body: bytes


class Closed(Exception):
    """The server has closed the connection instead of answering."""


class Target:
    """A server: where it is, and whether it speaks TLS."""

    def __init__(self, port: int, is_encrypted: bool) -> None:
        self.port = port
        self.name = "TLS" if is_encrypted else "plain"
        self.context: ssl.SSLContext | None = None
        if is_encrypted:
            self.context = ssl.create_default_context()
            # The certificates are made for this run, and change during it.
            self.context.check_hostname = False
            self.context.verify_mode = ssl.CERT_NONE

    @property
    def origin(self) -> str:
        return f"{'https' if self.context else 'http'}://127.0.0.1:{self.port}"

    @contextlib.asynccontextmanager
    async def connected(
        self, *, encrypts: bool = True, receive_buffer: int | None = None, resets: bool = False
    ) -> AsyncIterator["Connection"]:
        """A connection, closed at the end whatever happens; with `resets` by a reset."""
        client = socket.socket()
        client.setblocking(False)
        if receive_buffer:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        if resets:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        try:
            async with asyncio.timeout(10):
                await asyncio.get_running_loop().sock_connect(client, ("127.0.0.1", self.port))
                context = self.context if encrypts else None
                reader, writer = await asyncio.open_connection(
                    sock=client,
                    ssl=context,
                    server_hostname="localhost" if context else None,
                    limit=receive_buffer or 65536,
                )
        except BaseException:
            client.close()
            raise
        try:
            yield Connection(reader, writer)
        finally:
            writer.transport.abort()


class Connection:
    """One connection of a client."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def get(self, path: str, fields: Iterable[tuple[str, str]] = ()) -> Answer:
        all_fields = {"Host": "127.0.0.1", **dict(fields)}
        lines = [f"GET {path} HTTP/1.1", *(f"{name}: {value}" for name, value in all_fields.items())]
        self.writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())
        async with asyncio.timeout(30):
            return await self.answer()

    async def answer(self) -> Answer:
        try:
            status, fields = await self.head()
            if status in (204, 304):
                return Answer(status, fields, b"")
            if fields.get("transfer-encoding") == "chunked":
                return Answer(status, fields, b"".join([chunk async for chunk in self.chunks()]))
            return Answer(status, fields, await self.reader.readexactly(int(fields["content-length"])))
        except (asyncio.IncompleteReadError, ConnectionError, ssl.SSLError) as error:
            raise Closed(str(error)) from error

    async def head(self) -> tuple[int, dict[str, str]]:
        lines = (await self.reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        fields = dict(line.split(": ", 1) for line in lines[1:] if line)
        return int(lines[0].split()[1]), {name.lower(): value for name, value in fields.items()}

    async def chunks(self) -> AsyncIterator[bytes]:
        while size := int(await self.reader.readuntil(b"\r\n"), 16):
            chunk = await self.reader.readexactly(size + 2)
            yield chunk[:-2]
        await self.reader.readexactly(2)
