"""A command that is all or nothing, and still tells all that is wrong (RFC 4324 §10.9; MDF-10)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from kalends.core.errors import FailureError, InterruptedCommandError, KalendsError, SeveralError
from kalends.core.model import Receipt, Target
from kalends.core.writer import Writer
from kalends.store.errors import StoreError

MAX_REFUSALS = 100
"""Refusals that are told; a command that earns more of them ends there."""


class Trial:
    """Collects the refusals of one command.

    Until the first of them all is written as it comes. After it nothing will be kept, and the rest is only
    tried, each thing by itself.

    Args:
        writer: the hand that writes.

    Attributes:
        refusals: TARGET as given, and a receipt with its error.
    """

    def __init__(self, writer: Writer) -> None:
        self.writer = writer
        self.refusals: list[tuple[str, Receipt]] = []

    @contextmanager
    def of(self, target: Target, receipt: Receipt) -> Iterator[None]:
        """Do something for one object, and go on when it is refused.

        Args:
            target: where it is.
            receipt: how it is called.

        Raises:
            KalendsError: nothing more can be tried in this transaction, or enough was told.
        """
        try:
            if self.refusals:
                with self.writer.attempt():
                    yield
            else:
                yield
        except (FailureError, InterruptedCommandError):
            raise
        except KalendsError as error:
            over = not self.refusals and isinstance(error.__cause__, StoreError)
            self.refusals.append((target.given, replace(receipt, error=error)))
            if over or len(self.refusals) == MAX_REFUSALS:  # the database wants to hear nothing more
                self.judge()

    def judge(self) -> None:
        """Refuse the command when anything was refused.

        Raises:
            KalendsError: the one refusal, or a SeveralError.
        """
        errors = [receipt.error for _, receipt in self.refusals if receipt.error is not None]
        if len(errors) == 1:
            raise errors[0]
        if errors:
            raise SeveralError(errors[0].reason, self.refusals)
