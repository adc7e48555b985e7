"""What a message says, for people: a subject and a few lines, in the language of the sender's calendar.

Words are translated one by one and data is put beside them, never into them: nothing that somebody wrote in
an event can be taken for a sentence of ours.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from kalends.core.languages import spoken, translated
from kalends.core.scheduling.parties import address
from kalends.ical.component_times import read_times
from kalends.ical.errors import ICalError
from kalends.ical.moment import DAY, Moment, to_datetime
from kalends.ical.tree import Component, Line
from kalends.ical.values import unescape_text
from kalends.ical.zones import Zones
from kalends.imip.letter import Letter

MAX_TITLE, MAX_LINE, MAX_NOTES, MAX_PEOPLE = 200, 500, 4_000, 20
"""Characters of a title, of another value, of a description; people named one by one."""

_HEADS = {
    "REQUEST": ("Invitation", "You are invited."),
    "CANCEL": ("Cancelled", "This has been called off, or you are no longer invited."),
    "REPLY": ("Answer", "This answers your invitation."),
    "ADD": ("Invitation", "You are invited."),
    "REFRESH": ("Question", "Somebody asks for the newest state of this invitation."),
    "COUNTER": ("Proposal", "Somebody proposes a change of your invitation."),
    "DECLINECOUNTER": ("Proposal declined", "The organizer does not take up your proposal."),
}
_CHANGED = ("Changed invitation", "This invitation has changed.")
_ANSWERS = {
    "ACCEPTED": ("Accepted", "Your invitation is accepted."),
    "DECLINED": ("Declined", "Your invitation is declined."),
    "TENTATIVE": ("Tentatively accepted", "Your invitation is tentatively accepted."),
    "DELEGATED": ("Delegated", "Your invitation is delegated to somebody else."),
    "COMPLETED": ("Completed", "The task is done."),
    "IN-PROCESS": ("Being done", "The task is being done."),
}
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_LABELS = ("What", "When", "Where", "Organizer", "Invited")
_HINTS = {
    "REQUEST": "A calendar program can answer this; what you write in reply goes to the organizer.",
    "REPEATS": "It repeats; your calendar knows on which days.",
    "DUE": "due",
    "MORE": "and others",
}
PHRASES = tuple(
    dict.fromkeys(
        [*(text for pair in _HEADS.values() for text in pair), *_CHANGED]
        + [text for pair in _ANSWERS.values() for text in pair]
        + [*_DAYS, *_LABELS, *_HINTS.values()]
    )
)
"""All that is said in words; every catalogue has them."""

Say = Callable[[str], str]


def tidy(text: str, limit: int) -> str:
    """A text on one line without what does not show, cut at a number of characters."""
    plain = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    return plain if len(plain) <= limit else plain[: limit - 1].rstrip() + "…"


def describe(letter: Letter) -> tuple[str, str]:
    """Say what a letter is about.

    Args:
        letter: any.

    Returns:
        A subject of one line, and a text whose lines end with a line feed.
    """
    tag = spoken([letter.language] if letter.language else [])

    def say(text: str) -> str:
        return translated(text, tag)[0]

    part = letter.parts[0]
    head, sentence = _head(letter, part)
    title = tidy(unescape_text(part.value("SUMMARY") or ""), MAX_TITLE)
    lines = [say(sentence), ""]
    if title:
        lines.append(f"{say('What')}: {title}")
    for one in letter.parts[:MAX_PEOPLE]:
        lines += _when(one, letter.whole, say)
    place = tidy(unescape_text(part.value("LOCATION") or ""), MAX_LINE)
    if place:
        lines.append(f"{say('Where')}: {place}")
    lines += _people(part, say)
    notes = unescape_text(part.value("DESCRIPTION") or "")
    if notes.strip() and letter.method in ("REQUEST", "ADD"):
        lines += ["", *_notes(notes)]
    if letter.method == "REQUEST":
        lines += ["", say(_HINTS["REQUEST"])]
    subject = f"{say(head)}: {title}" if title else say(head)
    return subject, "\n".join(lines) + "\n"


def language_of(letter: Letter) -> str:
    """The tag of the language that `describe` speaks."""
    return spoken([letter.language] if letter.language else [])


def _head(letter: Letter, part: Component) -> tuple[str, str]:
    if letter.method == "REPLY":
        lines = part.all("ATTENDEE")
        answer = (lines[0].param("PARTSTAT") or "").upper() if lines else ""
        return _ANSWERS.get(answer, _HEADS["REPLY"])
    if letter.method == "REQUEST" and (part.value("SEQUENCE") or "0").strip() != "0":
        return _CHANGED
    return _HEADS.get(letter.method, _HEADS["REQUEST"])


def _when(part: Component, whole: Component, say: Say) -> Iterator[str]:
    """When a component takes place, by its own clock, with the zone's name."""
    label = say("When")
    zones = Zones(whole)
    try:
        times = read_times(part, zones)
    except ICalError:
        return
    if times is None:
        return
    start = times.start
    if part.first("DTSTART") is None and part.first("DUE") is not None:
        yield f"{label}: {say(_HINTS['DUE'])} {_moment(start, say)}{_zone(start)}"
        return
    end = start.moved(times.wall(times.end(times.begin, start.wall, times.length)))
    yield f"{label}: {_span(start, end, say)}{_zone(start)}"
    if times.recurs:
        yield say(_HINTS["REPEATS"])


def _span(start: Moment, end: Moment, say: Say) -> str:
    if start.is_date:
        last = end.moved(max(start.wall, end.wall - DAY))
        return _day(start, say) if last.wall == start.wall else f"{_day(start, say)} – {_day(last, say)}"
    if end.wall <= start.wall:
        return _moment(start, say)
    if end.wall // DAY == start.wall // DAY:
        return f"{_moment(start, say)} – {to_datetime(end.wall):%H:%M}"
    return f"{_moment(start, say)} – {_moment(end, say)}"


def _day(moment: Moment, say: Say) -> str:
    day = moment.date
    return f"{say(_DAYS[day.weekday()])} {day.isoformat()}"


def _moment(moment: Moment, say: Say) -> str:
    return _day(moment, say) if moment.is_date else f"{_day(moment, say)} {to_datetime(moment.wall):%H:%M}"


def _zone(moment: Moment) -> str:
    if moment.is_date or (moment.tzid is None and not moment.utc):
        return ""
    return f" ({tidy(moment.tzid, MAX_TITLE) if moment.tzid else 'UTC'})"


def _people(part: Component, say: Say) -> Iterator[str]:
    by = part.first("ORGANIZER")
    if by is not None:
        yield f"{say('Organizer')}: {person(by)}"
    lines = part.all("ATTENDEE")
    if lines:
        named = ", ".join(person(line) for line in lines[:MAX_PEOPLE])
        more = f" {say(_HINTS['MORE'])}" if len(lines) > MAX_PEOPLE else ""
        yield f"{say('Invited')}: {named}{more}"


def name_of(line: Line) -> str:
    """The name somebody goes by (CN); '' for none."""
    return tidy(line.param("CN") or "", MAX_TITLE)


def person(line: Line) -> str:
    """Somebody's name and mailbox."""
    box, name = tidy(address(line).removeprefix("mailto:"), MAX_TITLE), name_of(line)
    return f"{name} <{box}>" if name and name != box else box


def _notes(text: str) -> Iterator[str]:
    for line in text[:MAX_NOTES].splitlines():
        yield "".join(char if char.isprintable() else " " for char in line).rstrip()
    if len(text) > MAX_NOTES:
        yield "…"
