"""Opening a store by its URL."""

from __future__ import annotations

from kalends.store.base import Store


def open_store(url: str, *, create: bool = True, read_only: bool = False) -> Store:
    """Open a store, bring its schema up to date, and return it.

    Args:
        url: a path, `sqlite:///path`, `sqlite:///:memory:` or `postgresql://…`.
        create: make the file (and its directory) when it is not there.
        read_only: refuse every write; the schema must be up to date.

    Returns:
        The store. Its `url` holds no password.

    Raises:
        StoreError: one of its subclasses, with words that a person can act on.
    """
    raise NotImplementedError
