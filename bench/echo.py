"""`python -m bench.echo beep|bare`: an echo server on a free loopback port, which it prints."""

from __future__ import annotations

import asyncio
import sys
from typing import cast

from kalends.beep import events
from kalends.beep.session import Role, Session

URI = "urn:example:echo"


class Bare(asyncio.Protocol):
    """The limit: what comes goes back, unread."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self.transport.write(data)


class Beep(asyncio.Protocol):
    """Every MSG is answered by an RPY with the same payload."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self.loop = asyncio.get_running_loop()
        self.session = Session(Role.LISTENER, profiles=(URI,), now=self.loop.time())
        self.transport.write(self.session.data_to_send())

    def data_received(self, data: bytes) -> None:
        session = self.session
        for event in session.receive_data(data, self.loop.time()):
            if isinstance(event, events.MessageReceived):
                session.send_reply(event.channel, event.msgno, event.payload)
            elif isinstance(event, events.StartRequested):
                session.accept_start(event.channel, URI)
            elif isinstance(event, events.SessionTerminated) and event.error is not None:
                raise event.error
        self.transport.write(session.data_to_send())


async def main(kind: str) -> None:
    """Serve until killed."""
    server = await asyncio.get_running_loop().create_server(
        {"bare": Bare, "beep": Beep}[kind], "127.0.0.1", 0
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


asyncio.run(main(sys.argv[1]))
