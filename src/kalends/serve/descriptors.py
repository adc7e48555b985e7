"""Open files: how many there may be, and seeing their end before it comes.

Without room for one more the loop cannot accept a connection, not even to refuse it in words: libuv hangs
up at once and tells nobody. So connections are refused while there are a few files left.
"""

from __future__ import annotations

import logging
import resource

RESERVE = 24
"""Open files kept for the store, its log and its readers, and for refusing."""
log = logging.getLogger(__name__)


def make_room(connections: int) -> None:
    """Raise the limit of open files, as far as the system lets us, for that many connections.

    Args:
        connections: as many as are allowed; where they do not fit the log says what to do.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections + 4 * RESERVE
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return
    most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    except (OSError, ValueError) as error:
        log.info("the limit of open files stays at %d: %s", soft, error)
        most = soft
    if most < wanted:
        log.warning(
            "about %d connections fit into the limit of %d open files; for max_connections=%d raise it"
            " (ulimit -n, LimitNOFILE)", max(0, most - 2 * RESERVE), most, connections,
        )  # fmt: skip


def is_scarce(descriptor: int) -> bool:
    """Whether a new file's number shows that there is hardly room for another one.

    The kernel gives the lowest free number, so this counts everything that is open, for one system call.

    Args:
        descriptor: the number just given; below 0 for none.
    """
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return soft != resource.RLIM_INFINITY and descriptor >= soft - min(RESERVE, soft // 4)
