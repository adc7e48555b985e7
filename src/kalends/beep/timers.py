"""When a session has waited long enough; the clock is the shell's."""

from kalends.beep.link import Link
from kalends.beep.machine import Phase


class Timers:
    """Deadlines of one session, computed from what it waits for.

    Args:
        link: The session's inside.
        listener: Whether we listen: only a listener insists on a login.
        now: Seconds, or None until the shell first tells the time.

    The session sets last_frame itself when a whole frame came, and looks at phase, the last one seen here.
    """

    def __init__(self, link: Link, listener: bool, now: float | None) -> None:
        self._link = link
        self._listener = listener
        self._born = now
        self._life_began = now
        self.last_frame = now
        self.phase = link.phase
        self._phase_began = now

    def see(self, now: float) -> None:
        """Note the time; the first call starts all clocks if the session began without one."""
        if self._born is None:
            self._born = self._life_began = self.last_frame = self._phase_began = now
        if self.phase is not self._link.phase:
            self.phase, self._phase_began = self._link.phase, now

    def begin_life(self, now: float) -> None:
        """TLS is up: the greeting is due again."""
        self._life_began = self.last_frame = self._phase_began = now
        self.phase = self._link.phase

    def _wants_login(self) -> bool:
        return self._listener and self._link.identity is None and self._link.security.require_authentication

    def _deadlines(self) -> list[tuple[float, str]]:
        if self._born is None or self._life_began is None or self._link.over:
            return []
        limits, link, phase = self._link.limits, self._link, self._link.phase
        began = self._phase_began if self.phase is phase else self.last_frame
        rows = [
            (phase is Phase.GREETING, self._life_began, limits.greeting_timeout, "no greeting"),
            (phase is Phase.TLS_ASKED, began, limits.greeting_timeout, "no answer to <ready>"),
            (phase is Phase.TLS_DRAINING, began, limits.idle_timeout, "replies could not be sent"),
            (phase is Phase.HANDSHAKE, began, limits.handshake_timeout, "no end of the TLS handshake"),
            (
                self._wants_login(),
                self._born,
                limits.login_timeout,
                "no authentication",
            ),
            (not link.inbox.owed, self.last_frame, limits.idle_timeout, "no frame"),
        ]
        return [
            (since + allowed, f"{what} within {allowed:g} seconds")
            for applies, since, allowed, what in rows
            if applies and since is not None and allowed is not None
        ]

    def next(self) -> float | None:
        """The earliest deadline, in seconds of the shell's clock."""
        link = self._link
        if link.phase is Phase.OPEN and not self._wants_login() and self.last_frame is not None:
            # What shells ask after each command; only the idle clock can be running.
            allowed = link.limits.idle_timeout
            return None if link.inbox.owed or allowed is None else self.last_frame + allowed
        return min((when for when, _ in self._deadlines()), default=None)

    def overdue(self, now: float) -> str | None:
        """What has been waited for too long, in words."""
        return next((words for when, words in sorted(self._deadlines()) if when <= now), None)
