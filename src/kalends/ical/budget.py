"""How much work one question about recurrences may take."""

from __future__ import annotations

from kalends.ical.errors import StepBudgetError

STEP_BUDGET = 500_000
"""Steps (a period looked at, a candidate tried, an instance given) one question may take: under a second."""


class Budget:
    """Counts steps down and stops a walk that takes too many.

    Args:
        steps: how many are allowed.
    """

    __slots__ = ("left", "steps")

    def __init__(self, steps: int = STEP_BUDGET) -> None:
        self.steps = self.left = steps

    def spend(self, steps: int) -> None:
        """Take off so many steps.

        Raises:
            StepBudgetError: none are left.
        """
        self.left -= steps
        if self.left < 0:
            raise StepBudgetError(
                f"the recurrence needs more than {self.steps} steps to answer this question"
            )
