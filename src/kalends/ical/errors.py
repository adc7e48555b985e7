"""What can be wrong with iCalendar text."""

from __future__ import annotations


class ICalError(ValueError):
    """Text that is not iCalendar, or a value that does not fit its type.

    Attributes:
        line: the content line's number in the text, from 1, counting physical lines; 0 when unknown.
        reason: what is wrong, for a person.
    """

    def __init__(self, reason: str, line: int = 0) -> None:
        self.reason = reason
        self.line = line
        super().__init__(f"line {line}: {reason}" if line else reason)


class StepBudgetError(ICalError):
    """A recurrence rule that would need more steps than allowed to answer (a hostile or pointless rule)."""
