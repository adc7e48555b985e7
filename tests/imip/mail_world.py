"""People here who invite people elsewhere, and the mailer of their store."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from core_world import NOW
from scheduling_world import Village, wrapped

from kalends.ical.tree import parse
from kalends.imip.queue import MAIL, Tally
from kalends.serve.config import Config, load_config
from kalends.serve.mailer import Mailer
from kalends.store import jobs
from kalends.store.base import Store
from kalends.store.jobs import JobRow


@dataclass
class Clock:
    """A clock that a test sets."""

    now: float = NOW + 1000

    def __call__(self) -> float:
        return self.now


@dataclass
class MailWorld:
    """A village with a mail server somewhere.

    Attributes:
        village: the people. config: settings. clock: what time it is for the mailer. mailer: it.
    """

    store: Store
    folder: Path
    port: int
    settings: dict[str, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        given = {
            "store": "unused.db", "csid": "cal.example.com", "realm": "example.com", "mail_host": "127.0.0.1",
            "mail_port": self.port, "mail_tls": "none", "mail_timeout": "5", "max_object": "1M",
        }  # fmt: skip
        self.config: Config = load_config({**given, **self.settings}, {"HOME": str(self.folder)})
        self.village = Village(self.store, self.config.policy)
        self.clock = Clock()
        self.mailer = self.another()

    def another(self) -> Mailer:
        """One more server's mailer on the same store."""
        return Mailer(self.config, self.store, self.clock)

    def invite(self, *guests: str, uid: str = "lunch", extra: str = "") -> None:
        """Bill invites people."""
        lines = "".join(f"ATTENDEE:mailto:{guest}\n" for guest in guests)
        self.village.put(
            "bill", uid,
            wrapped(
                f"BEGIN:VEVENT\nUID:{uid}\nDTSTART:20260310T120000Z\nDTEND:20260310T130000Z\nSUMMARY:Lunch\n"
                f"SEQUENCE:0\nORGANIZER:mailto:bill@example.com\n{lines}{extra}END:VEVENT"
            ),
        )  # fmt: skip

    def round(self) -> Tally:
        return self.mailer.round()

    def status(self, guest: str, uid: str = "lunch", who: str = "bill", prop: str = "ATTENDEE") -> str | None:
        """SCHEDULE-STATUS of somebody in an organizer's event."""
        for part in parse(self.village.text(who, uid)).components:
            for line in part.all(prop):
                if line.value == f"mailto:{guest}":
                    return line.param("SCHEDULE-STATUS")
        return None

    def waiting(self) -> list[JobRow]:
        return self.store.read(lambda tx: jobs.waiting(tx, MAIL, 1000))
