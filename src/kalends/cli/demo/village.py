"""The people of the demo and what they have on: a school, a choir, a small company and a family.

Everything is derived from a seed and a day, so that two runs on one day show the same calendars.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from kalends.ical.param_text import Param
from kalends.ical.tree import Component
from kalends.ical.values import escape_text

REALM = "lindenau.example"
PRODID = "-//Kalends//demo//EN"
DAYS_BACK, DAYS_AHEAD = 240, 240
"""The demo's events lie around today: far enough for every query of the session to find something."""


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody of the demo: user name, display name, where they live, what they do."""

    user: str
    name: str
    zone: str
    work: str

    @property
    def upn(self) -> str:
        """user@realm."""
        return f"{self.user}@{REALM}"

    @property
    def address(self) -> str:
        """The calendar user address."""
        return f"mailto:{self.upn}"


PEOPLE = (
    Person("amira", "Amira Haddad", "Europe/Berlin", "company"),
    Person("bruno", "Bruno Keller", "Europe/Berlin", "company"),
    Person("chiyo", "Chiyo Tanaka", "Asia/Tokyo", "company"),
    Person("david", "David O’Neill", "America/New_York", "company"),
    Person("elena", "Elena García Müller", "Europe/Madrid", "school"),
    Person("farid", "Farid Benali", "Europe/Paris", "school"),
    Person("greta", "Greta Lindqvist", "Europe/Stockholm", "choir"),
    Person("hugo", "Hugo Alves", "America/Sao_Paulo", "choir"),
)
SHARED = (
    ("school/timetable", "elena", "School timetable"),
    ("choir/rehearsals", "greta", "Choir"),
    ("company/meeting-room", "amira", "Meeting room (never double-booked)"),
)

_MEETINGS = (
    "Design review",
    "Budget round",
    "Interview",
    "Customer call",
    "Release planning",
    "Retrospective",
    "Security drill",
    "Onboarding",
    "Quarterly figures",
    "Bug triage",
    "Roadmap",
    "Hallway talk",
)
_PRIVATE = (
    "Dentist",
    "Haircut",
    "Car inspection",
    "Swimming",
    "Parents’ evening",
    "Birthday dinner",
    "Cinema",
    "Vet with Momo",
    "Piano lesson",
    "Football training",
    "Library",
    "Call the landlord",
)
_PLACES = ("Room Ada", "Room Grace", "Room Linus", "Café am Markt", "Video call", "Building 3", "")
_SUBJECTS = ("Mathematics", "German", "Biology", "Music", "Sport", "History", "Chemistry", "Art")
_TODOS = (
    "Send the invoice",
    "Order strings",
    "Water the plants",
    "Mark the tests",
    "Book the train",
    "Renew passport",
)
_HOLIDAYS = ("Vacation", "Conference", "Training", "Public holiday", "Travel")


def _local(when: datetime) -> str:
    return when.strftime("%Y%m%dT%H%M%S")


class Village:
    """Writes everybody's calendars.

    Args:
        today: the day the demo is run on.
        seed: another seed gives other calendars.
        scale: how many single events a person has, 1.0 for about three hundred.
    """

    def __init__(self, today: date, seed: int = 1026, scale: float = 1.0) -> None:
        self.today = today
        self.random = random.Random(seed)  # noqa: S311 - invented calendars, not secrets
        self.scale = scale
        self.count = 0
        self.monday = today - timedelta(days=today.weekday())

    def calendars(self) -> Iterator[tuple[str, str, str, Component]]:
        """Yield (CALID, owner UPN, name, VCALENDAR with everything in it) for each calendar."""
        for person in PEOPLE:
            yield f"{person.user}/calendar", person.upn, person.name, self.personal(person)
        for calid, user, name in SHARED:
            owner = next(p for p in PEOPLE if p.user == user)
            writer = {"school/timetable": self.school, "choir/rehearsals": self.choir}.get(calid, self.room)
            yield calid, owner.upn, name, writer(owner)

    def personal(self, person: Person) -> Component:
        """One person's year: meetings, invitations, private dates, holidays, tasks, a diary."""
        cal = self._vcalendar()
        self._weekly(cal, person)
        for _ in range(int(300 * self.scale)):
            self._single(cal, person)
        for _ in range(6):
            self._days_off(cal, person)
        for other in PEOPLE:
            self._birthday(cal, other)
        for text in _TODOS:
            self._todo(cal, person, text)
        for back in range(0, 60, 10):
            self._journal(cal, person, back)
        return cal

    def school(self, owner: Person) -> Component:
        """A timetable: five days, six lessons, weekly until the end of the year, with a moved lesson."""
        cal = self._vcalendar()
        start = self.monday - timedelta(weeks=20)
        for day in range(5):
            for lesson in range(6):
                subject = self.random.choice(_SUBJECTS)
                begin = datetime.combine(start + timedelta(days=day), datetime.min.time()) + timedelta(
                    hours=8, minutes=50 * lesson
                )
                event = self._event(cal, owner, f"{subject} 7b", begin, timedelta(minutes=45))
                event.add("RRULE", f"FREQ=WEEKLY;COUNT={40}")
                event.add("CATEGORIES", "SCHOOL")
                if lesson == day:
                    moved = begin + timedelta(weeks=20)
                    self._moved(cal, event, moved, moved + timedelta(hours=5))
        return cal

    def choir(self, owner: Person) -> Component:
        """Rehearsals every Thursday but the holidays, concerts on first Sundays, a tour over several days."""
        cal = self._vcalendar()
        thursday = self.monday + timedelta(days=3, weeks=-26)
        begin = datetime.combine(thursday, datetime.min.time()) + timedelta(hours=19, minutes=30)
        event = self._event(cal, owner, "Choir rehearsal", begin, timedelta(hours=2), place="Parish hall")
        event.add("RRULE", "FREQ=WEEKLY;BYDAY=TH")
        event.add("EXDATE", _local(begin + timedelta(weeks=26)), ("TZID", (owner.zone,)))
        first = begin.replace(day=1, hour=17, minute=0)
        concert = self._event(
            cal, owner, "Concert in the park", first, timedelta(minutes=90), place="Bandstand"
        )
        concert.add("RRULE", "FREQ=MONTHLY;BYDAY=1SU")
        self._all_day(cal, owner, "Choir tour", self.today + timedelta(days=40), 4)
        return cal

    def room(self, owner: Person) -> Component:
        """A room that two never share: hourly slots, none overlapping."""
        cal = self._vcalendar()
        for day in range(-60, 60):
            for hour in self.random.sample(range(8, 18), 4):
                begin = datetime.combine(self.today + timedelta(days=day), datetime.min.time())
                event = self._event(
                    cal,
                    owner,
                    self.random.choice(_MEETINGS),
                    begin + timedelta(hours=hour),
                    timedelta(hours=1),
                    place="Room Ada",
                )
                event.add("TRANSP", "OPAQUE")
        return cal

    def _vcalendar(self) -> Component:
        cal = Component("VCALENDAR")
        cal.add("VERSION", "2.0")
        cal.add("PRODID", PRODID)
        return cal

    def _uid(self) -> str:
        self.count += 1
        return f"demo-{self.count:05d}-{self.random.getrandbits(32):08x}@{REALM}"

    def _component(self, cal: Component, kind: str, summary: str) -> Component:
        component = Component(kind)
        component.add("UID", self._uid())
        component.add("DTSTAMP", f"{self.today:%Y%m%d}T060000Z")
        component.add("SUMMARY", escape_text(summary))
        cal.items.append(component)
        return component

    def _event(
        self,
        cal: Component,
        person: Person,
        summary: str,
        begin: datetime,
        length: timedelta,
        *,
        place: str = "",
    ) -> Component:
        event = self._component(cal, "VEVENT", summary)
        zone: Param = ("TZID", (person.zone,))
        event.add("DTSTART", _local(begin), zone)
        event.add("DTEND", _local(begin + length), zone)
        if place:
            event.add("LOCATION", escape_text(place))
        return event

    def _all_day(self, cal: Component, person: Person, summary: str, first: date, days: int) -> Component:
        event = self._component(cal, "VEVENT", summary)
        event.add("DTSTART", f"{first:%Y%m%d}", ("VALUE", ("DATE",)))
        event.add("DTEND", f"{first + timedelta(days=days):%Y%m%d}", ("VALUE", ("DATE",)))
        event.add("TRANSP", "TRANSPARENT")
        event.add("X-KALENDS-DEMO-OF", escape_text(person.name))
        return event

    def _weekly(self, cal: Component, person: Person) -> None:
        begin = datetime.combine(self.monday - timedelta(weeks=30), datetime.min.time()) + timedelta(hours=9)
        stand_up = self._event(cal, person, "Stand-up", begin, timedelta(minutes=15), place="Video call")
        stand_up.add("RRULE", "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR")
        alarm = Component("VALARM")
        for name, value in (
            ("ACTION", "DISPLAY"),
            ("DESCRIPTION", "Stand-up in five minutes"),
            ("TRIGGER", "-PT5M"),
            ("SEQUENCE", "1"),
        ):
            alarm.add(name, value)
        stand_up.items.append(alarm)
        report = self._event(cal, person, "Monthly report", begin.replace(day=1, hour=16), timedelta(hours=1))
        report.add("RRULE", "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1")
        self._moved(
            cal, stand_up, begin + timedelta(weeks=30, days=2), begin + timedelta(weeks=30, days=2, hours=5)
        )

    def _moved(self, cal: Component, master: Component, was: datetime, now: datetime) -> None:
        start = master.first("DTSTART")
        uid, summary = master.value("UID"), master.value("SUMMARY")
        assert start is not None
        assert uid is not None
        assert summary is not None
        override = Component("VEVENT")
        override.add("UID", uid)
        override.add("DTSTAMP", f"{self.today:%Y%m%d}T060000Z")
        override.add("RECURRENCE-ID", _local(was), *start.params)
        override.add("DTSTART", _local(now), *start.params)
        override.add("DURATION", "PT45M")
        override.add("SUMMARY", f"{summary} (moved)")
        cal.items.append(override)

    def _single(self, cal: Component, person: Person) -> None:
        day = self.today + timedelta(days=self.random.randint(-DAYS_BACK, DAYS_AHEAD))
        work = day.weekday() < 5 and self.random.random() < 0.7
        minutes = 15 * self.random.randint(32, 68) if work else 15 * self.random.randint(64, 84)
        begin = datetime.combine(day, datetime.min.time()) + timedelta(minutes=minutes)
        length = timedelta(minutes=self.random.choice((30, 30, 45, 60, 60, 90, 120)))
        place = self.random.choice(_PLACES) if work else ""
        event = self._event(
            cal, person, self.random.choice(_MEETINGS if work else _PRIVATE), begin, length, place=place
        )
        event.add("CATEGORIES", "WORK" if work else "PRIVATE")
        if not work:
            event.add("CLASS", "PRIVATE")
        elif self.random.random() < 0.5:
            self._invite(event, person)
        if self.random.random() < 0.15:
            event.add("STATUS", self.random.choice(("TENTATIVE", "CANCELLED")))

    def _invite(self, event: Component, organizer: Person) -> None:
        event.add("ORGANIZER", organizer.address, ("CN", (organizer.name,)))
        for guest in self.random.sample(PEOPLE, self.random.randint(2, 4)):
            answer = self.random.choice(("ACCEPTED", "ACCEPTED", "TENTATIVE", "DECLINED", "NEEDS-ACTION"))
            event.add(
                "ATTENDEE", guest.address, ("CN", (guest.name,)), ("PARTSTAT", (answer,)), ("RSVP", ("TRUE",))
            )
        event.add(
            "DESCRIPTION",
            escape_text(
                "Agenda:\n1. What has happened since\n2. What is in the way\n3. Who does what, until when"
            ),
        )

    def _days_off(self, cal: Component, person: Person) -> None:
        first = self.today + timedelta(days=self.random.randint(-DAYS_BACK, DAYS_AHEAD))
        self._all_day(cal, person, self.random.choice(_HOLIDAYS), first, self.random.choice((1, 1, 2, 5, 10)))

    def _birthday(self, cal: Component, person: Person) -> None:
        born = date(1960 + self.random.randint(0, 40), self.random.randint(1, 12), self.random.randint(1, 28))
        event = self._all_day(cal, person, f"{person.name}’s birthday", born, 1)
        event.add("RRULE", "FREQ=YEARLY")

    def _todo(self, cal: Component, person: Person, text: str) -> None:
        todo = self._component(cal, "VTODO", text)
        due = datetime.combine(self.today + timedelta(days=self.random.randint(-5, 30)), datetime.min.time())
        todo.add("DUE", _local(due + timedelta(hours=18)), ("TZID", (person.zone,)))
        todo.add("PRIORITY", str(self.random.randint(1, 9)))
        todo.add("STATUS", self.random.choice(("NEEDS-ACTION", "IN-PROCESS", "COMPLETED")))

    def _journal(self, cal: Component, person: Person, back: int) -> None:
        entry = self._component(cal, "VJOURNAL", f"Notes of {person.name}")
        entry.add("DTSTART", f"{self.today - timedelta(days=back):%Y%m%d}", ("VALUE", ("DATE",)))
        entry.add("DESCRIPTION", escape_text("Slept well; the bakery was closed, the choir was not."))
