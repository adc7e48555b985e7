"""A BEEP echo beside a bare asyncio echo of the very same frames, under the same load."""

from __future__ import annotations

import re
import selectors
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from bench.measure import Line, Report, cpu_of, quick

PAYLOAD = b"x" * 600
DEPTHS = ((1, 1), (1, 16), (8, 1), (8, 16))
"""Connections, and messages under way on each."""
FAR = 2_000_000_000
_SEQ = re.compile(rb"SEQ 1 (\d+) (\d+)\r\n")
_CONTENT = b"Content-Type: application/beep+xml\r\n\r\n"


class Pipeline:
    """One connection that keeps a number of messages under way; cheap, so that the server is what counts.

    Args:
        port: of the server.
        beep: greet and open channel 1 first, and keep to the windows the server gives.
    """

    def __init__(self, port: int, *, beep: bool) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.msgno = self.seqno = self.returned = self.want = 0
        self.edge = 4096 if beep else FAR
        self.rest = b""
        if beep:
            self._open()
        self.socket.setblocking(False)

    def _open(self) -> None:
        greeting = _CONTENT + b"<greeting/>"
        start = _CONTENT + b"<start number='1'><profile uri='urn:example:echo'/></start>"
        said = b"RPY 0 0 . 0 %d\r\n%sEND\r\n" % (len(greeting), greeting)
        said += b"MSG 0 1 . %d %d\r\n%sEND\r\n" % (len(greeting), len(start), start)
        self.socket.sendall(said)
        heard = b""
        while heard.count(b"END\r\n") < 2:
            heard += self.socket.recv(65536)
        assert b"RPY 0 1" in heard, heard
        self.socket.sendall(b"SEQ 1 0 %d\r\n" % FAR)  # our window never closes

    def send(self, count: int) -> None:
        """Send that many more messages, as far as the window allows; the others later."""
        self.want += count
        frames = []
        while self.want and self.seqno + len(PAYLOAD) <= self.edge:
            frames.append(b"MSG 1 %d . %d %d\r\n%sEND\r\n" % (self.msgno, self.seqno, len(PAYLOAD), PAYLOAD))
            self.msgno += 1
            self.seqno += len(PAYLOAD)
            self.want -= 1
        if frames:
            self.socket.sendall(b"".join(frames))

    def receive(self) -> int:
        """Count the messages that came back."""
        data = self.rest + self.socket.recv(262_144)
        cut = data.rfind(b"\n") + 1
        self.rest = data[cut:]
        back = data.count(b"END\r\n", 0, cut)
        if b"SEQ " in data:
            for ackno, window in _SEQ.findall(data[:cut]):
                self.edge = max(self.edge, int(ackno) + int(window))
        self.returned += back
        return back


@dataclass(slots=True)
class Echo:
    """A running echo server."""

    port: int
    pid: int
    beep: bool

    def load(self, connections: int, depth: int, messages: int) -> tuple[float, float]:
        """Echo messages.

        Returns:
            Messages a second, and the server's CPU microseconds per message.
        """
        lines = [Pipeline(self.port, beep=self.beep) for _ in range(connections)]
        each = messages // connections
        before, began = cpu_of(self.pid), time.perf_counter()
        with selectors.DefaultSelector() as selector:
            for line in lines:
                selector.register(line.socket, selectors.EVENT_READ, line)
                line.send(depth)
            while any(line.returned < each for line in lines):
                for key, _ in selector.select():
                    line = key.data
                    back = line.receive()
                    more = min(back, each - line.msgno - line.want)
                    line.send(max(0, more))
        took, used = time.perf_counter() - began, cpu_of(self.pid) - before
        for line in lines:
            line.socket.close()
        return connections * each / took, used / (connections * each) * 1e6


@contextmanager
def echoing(kind: str) -> Iterator[Echo]:
    """Run an echo server in a process of its own."""
    process = subprocess.Popen([sys.executable, "-m", "bench.echo", kind], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield Echo(int(process.stdout.readline()), process.pid, kind == "beep")
    finally:
        process.terminate()
        process.wait(10)
        assert process.stdout is not None
        process.stdout.close()


def run(report: Report) -> None:
    """Measure."""
    report.heading(f"BEEP: echo of {len(PAYLOAD)}-octet messages over loopback, asyncio's own loop, no TLS")
    rounds = 1 if quick() else 3
    with echoing("beep") as beep, echoing("bare") as bare:
        for connections, depth in DEPTHS:
            messages = (8_000 if depth == 1 else 64_000) // (8 if quick() else 1)
            ours, limit = [], []
            for _ in range(rounds):  # in turns, so that what else the machine does hits both
                ours.append(beep.load(connections, depth, messages))
                limit.append(bare.load(connections, depth, messages))
            what = f"{connections} connection{'s' * (connections > 1)}, {depth} under way on each"
            mine, theirs = max(rate for rate, _ in ours), max(rate for rate, _ in limit)
            report.add(Line(f"{what}: rate", mine, theirs, "/s", "bare asyncio echo", True, 0.5))
            mine, theirs = min(cpu for _, cpu in ours), min(cpu for _, cpu in limit)
            report.add(Line(f"{what}: server CPU", mine, theirs, "µs", "bare asyncio echo"))
