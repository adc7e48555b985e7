"""Making valid text of what RFC 5545 lets be cut in the midst of a character."""

from __future__ import annotations

from kalends.ical.folds import fold, is_cut, unfold
from kalends.ical.tree import Component, Line


def mend_cut_folds(component: Component) -> bool:
    """Fold anew the lines whose fold had cut a UTF-8 sequence in two, so that the tree is valid text.

    A store of text needs this; the meaning does not change, the octets do.

    Args:
        component: changed in place, nested components included.

    Returns:
        Whether there was anything to mend.

    Source: RFC 5545 §3.1.
    """
    mended = False
    for part in component.walk():
        for at, item in enumerate(part.items):
            if isinstance(item, Line) and is_cut(item.raw):
                part.items[at] = Line(fold(unfold(item.raw)), item.name)
                mended = True
    return mended
