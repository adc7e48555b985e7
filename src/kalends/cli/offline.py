"""Working directly on a store: the options that name it, and opening it. A server may run meanwhile."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import click

from kalends.cli.files import FileName
from kalends.core.model import Caller, Policy
from kalends.serve.config import Config, load_config
from kalends.store.base import Store, Tx
from kalends.store.errors import StoreError

log = logging.getLogger(__name__)

F = TypeVar("F", bound=Callable[..., object])
T = TypeVar("T")


def store_options(command: F) -> F:
    """Add --store and --config."""
    command = click.option(
        "--config",
        "config_file",
        type=FileName(dir_okay=False),
        metavar="FILE",
        help="Settings of the server, in TOML.",
    )(command)
    return click.option(
        "--store",
        metavar="URL",
        help="A path, sqlite:///path or postgresql://…; also KALENDS_STORE.",
    )(command)


@dataclass(frozen=True, slots=True)
class Office:
    """An opened store with what administration needs.

    Attributes:
        store: the store. config: its settings. caller: the administrator's circumstances.
    """

    store: Store
    config: Config
    caller: Caller

    @property
    def policy(self) -> Policy:
        """What the store promises and refuses."""
        return self.config.policy

    @property
    def now(self) -> int:
        """Seconds since 1970 UTC when the command began."""
        return self.caller.now

    def read(self, work: Callable[[Tx], T]) -> T:
        """Run `work` on one snapshot; a store's failure becomes a refusal in words."""
        from kalends.core.guard import guard

        with guard():
            return self.store.read(work)

    def guarded(self, work: Callable[[], T]) -> T:
        """Run work that has transactions of its own; a store's failure becomes a refusal in words."""
        from kalends.core.guard import guard

        with guard():
            return work()

    def write(self, work: Callable[[Tx], T]) -> T:
        """Run `work` in a write transaction, durable when this returns."""
        from kalends.core.guard import guard

        with guard():
            done = self.store.write(work)
        if self.store.dialect == "postgres":
            self.tell_servers()
        return done

    def tell_servers(self) -> None:
        """Let servers of this store know at once that there is news for those who wait (docs/watch.md)."""
        try:
            self.store.announce()
        except StoreError as error:  # it is written all the same, and they look by themselves, only later
            log.info("servers of this store hear of it later: %s", error)


@contextmanager
def office(store: str | None, config_file: Path | None, *, create: bool = False) -> Iterator[Office]:
    """Open the store that the options, the environment or a settings file name.

    Args:
        store: --store.
        config_file: --config.
        create: make the store when it is not there.

    Raises:
        ConfigError: settings that cannot be used. StoreError: the store cannot be opened.
    """
    from kalends.core.containers import ensure_store
    from kalends.core.model import Caller, Identity
    from kalends.core.names import ANONYMOUS
    from kalends.store.open import open_store

    config = load_config(file=config_file)
    if store is not None:
        config = config.serving(store)
    opened = open_store(config.store, create=create)
    try:
        now = int(time.time())
        caller = Caller(Identity(ANONYMOUS, None, admin=True), "cli", now, config.policy)
        one = Office(opened, config, caller)
        if create:
            one.write(lambda tx: ensure_store(tx, config.policy, now))
        yield one
    finally:
        opened.close()
