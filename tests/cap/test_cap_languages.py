"""Which language REQUEST-STATUS and BEEP's errors are in (RFC 4324 §3.3, §7.6, §10.13; RFC 3080 §2.3.1)."""

from __future__ import annotations

import pytest
from cap_harness import Pair, command, event, query

from kalends.store.base import Store

WRONG = command("CMD:SEARCH", *query("SELECT * FROM VEVENT WHERE SUMMARY LIKE 'a'"))
ENGLISH = "REQUEST-STATUS:6.3;SEARCH needs a TARGET"
GERMAN = "REQUEST-STATUS;LANGUAGE=de:6.3;SEARCH braucht ein TARGET"
FRENCH = "REQUEST-STATUS;LANGUAGE=fr:6.3;SEARCH demande un TARGET"


def set_locale(name: str) -> str:
    return command(f"CMD;ID=s;OPTIONS={name}:SET-LOCALE")


@pytest.mark.parametrize(
    ("localize", "begin"),
    [
        (("de-AT", "fr"), GERMAN), (("th", "fr_CA"), FRENCH), (("i-default",), ENGLISH), ((), ENGLISH),
        (("en-GB",), ENGLISH), (("th",), ENGLISH), (("i-default", "de"), ENGLISH),
    ],
)  # fmt: skip
def test_the_clients_greeting_chooses(calendars: Store, localize: tuple[str, ...], begin: str) -> None:
    """RFC 3080 §2.3.1.1, RFC 4647 §3.4: the first wish that can be met."""
    answer = Pair(calendars, localize=localize).ask(WRONG)
    assert answer.kind == "ERR"
    assert begin in answer.text


def test_the_greeting_offers_languages_with_the_default_first(pair: Pair) -> None:
    """RFC 4324 §3.3."""
    greeting = pair.client.peer_greeting
    assert greeting is not None
    assert greeting.localize[0] == "i-default"
    assert {"en", "de", "fr", "es", "ja"} <= set(greeting.localize)


def test_LOC01_the_switch_holds_from_the_reply_on(pair: Pair) -> None:
    """RFC 4324 §3.3, §10.13: and a failed one changes nothing."""
    assert ENGLISH in pair.ask(WRONG).text
    assert "REQUEST-STATUS:2.0\r\n" in pair.ask(set_locale("fr_CA.UTF-8")).text
    assert FRENCH in pair.ask(WRONG).text
    for wrong in ("th_TH.UTF-8", "de_DE.ISO8859-1", "de."):
        assert "REQUEST-STATUS;LANGUAGE=fr:6.3;" in pair.ask(set_locale(wrong)).text
        assert FRENCH in pair.ask(WRONG).text
    assert "REQUEST-STATUS:2.0\r\n" in pair.ask(set_locale("POSIX")).text
    assert ENGLISH in pair.ask(WRONG).text


def test_LOC01_other_channels_switch_when_the_reply_is_sent(calendars: Store) -> None:
    """RFC 4324 §3.3: only after a successful reply; behind it on its own channel it holds at once."""
    pair = Pair(calendars, lazy=True)
    other = pair.open()
    slow = pair.send(command("CMD;ID=slow:SEARCH", *query("SELECT * FROM VEVENT"), targets=("relcalz1",)))
    switch = pair.send(set_locale("de"))
    behind = pair.send(WRONG)
    pair.run()
    assert ENGLISH in pair.ask(WRONG, other).text
    pair.step()
    pair.run()
    assert pair.answer(slow).kind == "RPY"
    assert pair.answer(switch).kind == "RPY"
    assert GERMAN in pair.answer(behind).text
    assert GERMAN in pair.ask(WRONG, other).text


def test_LOC06_localize_is_for_one_command(pair: Pair) -> None:
    """RFC 4324 §7.6: CMD;LOCALIZE=fr_CA."""
    assert FRENCH in pair.ask(WRONG.replace("CMD:", "CMD;LOCALIZE=fr_CA:")).text
    assert ENGLISH in pair.ask(WRONG).text
    pair.ask(set_locale("de"))
    assert ENGLISH in pair.ask(WRONG.replace("CMD:", "CMD;LOCALIZE=en:")).text
    assert GERMAN in pair.ask(WRONG).text


def test_LOC05_strict_sessions_take_only_what_the_greeting_named(calendars: Store) -> None:
    """RFC 4324 §7.6."""
    pair = Pair(calendars, strict=True)
    pair.ask(command("CMD:GET-CAPABILITY"))
    assert "6.3;LOCALIZE names a language" in pair.ask(command("CMD;LOCALIZE=fr_CA:GET-CAPABILITY")).text
    assert "LANGUAGE=fr:6.3" in pair.ask(command("CMD;LOCALIZE=fr;OPTIONS=0:GENERATE-UID")).text
    assert "6.3;That language is not offered" in pair.ask(set_locale("de_DE.UTF-8")).text
    assert "REQUEST-STATUS:2.0\r\n" in pair.ask(set_locale("de.UTF-8")).text


def test_statuses_of_objects_are_in_the_language_too(calendars: Store) -> None:
    """RFC 4324 §10.4, §10.9: receipts inside of a reply, and each TARGET's own refusal."""
    pair = Pair(calendars, localize=("es",))
    create = command("CMD:CREATE", *event("one"), targets=("relcalz1",))
    assert "REQUEST-STATUS:2.0\r\n" in pair.ask(create).text
    again = pair.ask(create).text.replace("\r\n ", "")
    assert "REQUEST-STATUS;LANGUAGE=es:8.5;el UID one está ocupado en este calendario" in again
    both = command("CMD:SEARCH", *query("SELECT * FROM VEVENT"), targets=("relcalz1", "nowhere"))
    assert any("LANGUAGE=es:6.1;no hay tal calendario" in body for body in pair.ask(both).bodies)
    broken = pair.ask(command("CMD:CREATE", "BEGIN:VEVENT", "END:VTODO", targets=("relcalz1",)))
    assert "LANGUAGE=es:6.3;El objeto no se puede leer" in broken.text


def test_beep_refuses_in_the_language_and_says_which(calendars: Store) -> None:
    """RFC 3080 §2.3.1.5: xml:lang, where it is not the peer's first choice."""
    pair = Pair(calendars, localize=("th", "ja"))
    pair.client.start_channel([pair.offer("http://example.com/none")])
    pair.wire.receive_data(pair.client.data_to_send(), 0.0)
    said = pair.wire.data_to_send().decode()
    assert "<error code='550' xml:lang='ja'>求められたプロファイルはここにはありません</error>" in said
