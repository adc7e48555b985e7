"""A CUA and a CAP session joined by a wire in memory, on a store in memory: no sockets, threads or clocks."""

from __future__ import annotations

from dataclasses import dataclass, field

from kalends.beep import events
from kalends.beep.mechanisms import External
from kalends.beep.mime import split_entity
from kalends.beep.security import Security
from kalends.beep.session import Role
from kalends.beep.session import Session as Wire
from kalends.cap.actions import Action, Audit, Await, Cancel, Execute, Forget, Outcome, Prepare
from kalends.cap.opening import URI
from kalends.cap.session import LANGUAGES, Session
from kalends.core import containers
from kalends.core.languages import diagnostic
from kalends.core.model import Policy
from kalends.core.people import identity
from kalends.store.base import Store

UTC = 1_767_225_600  # 2026-01-01T00:00:00Z
POLICY = Policy(csid="cal.example.com", realm="example.com")


@dataclass
class Answer:
    """What came back for one MSG: `RPY`, `ERR` or `ANS`, and the bodies."""

    kind: str
    bodies: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        (body,) = self.bodies
        return body


def furnish(store: Store, policy: Policy = POLICY) -> None:
    """A store with bob, mary and root, and two calendars of bob's beside the first."""

    def work(tx: object) -> None:
        containers.ensure_store(tx, policy, UTC)
        for upn in ("bob", "mary", "root"):
            identity.add_user(tx, policy, upn, now=UTC, admin=upn == "root")
        keeper = containers.housekeeper(policy, UTC)
        for calid in ("relcalz1", "relcalz2"):
            containers.create_calendar(tx, keeper, calid, "bob@example.com")

    store.write(work)


class Pair:
    """A client and the server's CAP session."""

    def __init__(
        self,
        store: Store,
        upn: str = "bob@example.com",
        *,
        policy: Policy = POLICY,
        strict: bool = False,
        lazy: bool = False,
        content: bytes = b"",
        capability: str = "",
        localize: tuple[str, ...] = ("i-default", "en"),
        seconds: float | None = None,
    ) -> None:
        self.store, self.lazy = store, lazy
        security = Security(
            mechanisms=("EXTERNAL",), private=True, external_identity=upn, require_authentication=True
        )
        self.wire = Wire(
            Role.LISTENER,
            profiles=(URI,),
            localize=LANGUAGES,
            security=security,
            translate=diagnostic,
            now=0.0,
        )
        self.client = Wire(
            Role.INITIATOR, profiles=(URI,), localize=localize, security=Security(private=True), now=0.0
        )
        self.cap = Session(self.wire, policy, strict=strict, command_seconds=seconds)
        self.now = 0.0
        self.actions: list[Action] = []
        self.cancelled: list[int] = []
        self.audits: list[Audit] = []
        self.awaiting: dict[int, dict[int, int]] = {}
        self.got: list[events.Event] = []
        self.asked: list[events.MessageReceived] = []
        self._capability = capability
        self.run()
        self.client.authenticate(External())
        self.run()
        self.channel = self.open(content)

    def open(self, content: bytes = b"") -> int:
        """Open a CAP channel."""
        channel = self.client.start_channel([events.ProfileOffer(URI, content)])
        self.run()
        return channel

    @staticmethod
    def offer(uri: str) -> events.ProfileOffer:
        """A profile to ask for."""
        return events.ProfileOffer(uri, b"")

    def run(self) -> None:
        """Carry octets and work until nothing moves."""
        moved = True
        while moved:
            moved = False
            for source, sink, take in (
                (self.client, self.wire, self._server_event),
                (self.wire, self.client, self._client_event),
            ):
                happened = source.take_events()
                for event in happened:
                    (self._client_event if source is self.client else self._server_event)(event)
                data = source.data_to_send()
                if data:
                    moved = True
                    for event in sink.receive_data(data, 0.0):
                        take(event)
                moved = moved or bool(happened)
            while self.actions and not self.lazy:
                moved = True
                self.step()

    def _server_event(self, event: events.Event) -> None:
        self._note(self.cap.handle(event, UTC, self.now))

    def _client_event(self, event: events.Event) -> None:
        self.got.append(event)
        if isinstance(event, events.MessageReceived):
            self.asked.append(event)
            if self._capability:
                self.client.send_reply(event.channel, event.msgno, self._capability.encode())

    def _note(self, actions: list[Action]) -> None:
        for action in actions:
            if isinstance(action, Cancel):
                self.cancelled.append(action.number)
            elif isinstance(action, Audit):
                self.audits.append(action)
            elif isinstance(action, Await):
                self.awaiting[action.number] = dict(action.ticks)
            elif isinstance(action, Forget):
                del self.awaiting[action.number]
            else:
                self.actions.append(action)

    def step(self, outcome: Outcome | None = None, index: int = 0) -> None:
        """Do one action (or pretend that it had an outcome)."""
        action = self.actions.pop(index)
        assert isinstance(action, Execute | Prepare)
        done = self._do(action) if outcome is None else outcome
        self._note(self.cap.finish(action.number, done, UTC, self.now))

    def wake(self) -> None:
        """Tell all who wait for a change that there is one."""
        for number in list(self.awaiting):
            del self.awaiting[number]
            self._note(self.cap.wake(number, self.now))
        self.run()

    def wait(self, seconds: float) -> None:
        """Let time pass, timer by timer."""
        until = self.now + seconds
        while (due := self.cap.next_timer()) is not None and due <= until:
            self.now = due
            self._note(self.cap.handle_timer(due))
            self.run()
        self.now = until

    def _do(self, action: Execute | Prepare) -> Outcome:
        try:
            if isinstance(action, Prepare):
                assert action.job.prepare is not None
                return action.job.prepare()
            return (self.store.read if action.kind == "read" else self.store.write)(action.work)
        except Exception as error:  # noqa: BLE001 - outcomes are exceptions, too
            return error

    def send(self, text: str, channel: int | None = None) -> int:
        """Send a MSG of lines; returns its msgno."""
        payload = text.replace("\r\n", "\n").replace("\n", "\r\n").encode("utf-8", "surrogateescape")
        return self.client.send_message(channel or self.channel, payload)

    def ask(self, text: str, channel: int | None = None) -> Answer:
        """Send a MSG and wait for what is answered to it."""
        msgno = self.send(text, channel)
        self.run()
        return self.answer(msgno, channel)

    def answer(self, msgno: int, channel: int | None = None) -> Answer:
        """What was answered to a MSG."""
        where = channel or self.channel
        kinds = {events.ReplyReceived: "RPY", events.ErrorReceived: "ERR", events.AnswerReceived: "ANS"}
        found = [
            e for e in self.got if getattr(e, "msgno", None) == msgno and getattr(e, "channel", None) == where
        ]
        found = [e for e in found if not isinstance(e, events.MessageReceived)]
        assert found, "no answer"
        if isinstance(found[-1], events.NulReceived):
            found.pop()
        answer = Answer(kinds[type(found[0])])
        for event in found:
            entity = split_entity(event.payload)
            assert entity.content_type == "text/calendar"
            answer.bodies.append(entity.body.decode())
        return answer


def command(cmd: str, *lines: str, targets: tuple[str, ...] = ()) -> str:
    """A whole command: `CMD…`, TARGETs, and content lines."""
    head = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//Test//EN", cmd]
    body = [*head, *(f"TARGET:{target}" for target in targets), *lines, "END:VCALENDAR", ""]
    return "Content-Type: text/calendar\n\n" + "\n".join(body)


def event(uid: str, *lines: str) -> tuple[str, ...]:
    """The lines of a small VEVENT."""
    base = ("DTSTAMP:20260101T000000Z", "DTSTART:20260105T100000Z", "DTEND:20260105T110000Z")
    return ("BEGIN:VEVENT", f"UID:{uid}", *base, *lines, "END:VEVENT")


def query(*queries: str, expand: bool = False) -> tuple[str, ...]:
    """The lines of a VQUERY."""
    return (
        "BEGIN:VQUERY",
        *(("EXPAND:TRUE",) if expand else ()),
        *(f"QUERY:{text}" for text in queries),
        "END:VQUERY",
    )
