"""The grammar of frames: headers in, frames out (RFC 3080 §2.2.1, RFC 3081 §3.1.3).

::

    msg    = "MSG" SP common CR LF          (RPY, ERR and NUL alike)
    ans    = "ANS" SP common SP ansno CR LF
    common = channel SP msgno SP more SP seqno SP size
    seq    = "SEQ" SP channel SP ackno SP window CR LF
    data   = header payload "END" CR LF

The prose allows ansno up to 4294967295 where the ABNF stops at 2147483647: we take both and send small ones.
"""

import re

from kalends.beep.errors import RemoteProtocolError
from kalends.beep.limits import MAX_HEADER

MSG, RPY, ERR, ANS, NUL = b"MSG", b"RPY", b"ERR", b"ANS", b"NUL"
FINAL, MORE = b".", b"*"
TRAILER = b"END\r\n"

match_header = re.compile(
    rb"(MSG|RPY|ERR|NUL|ANS) (\d{1,10}) (\d{1,10}) ([.*]) (\d{1,10}) (\d{1,10})(?: (\d{1,10}))?\r\n"
).match
match_seq = re.compile(rb"SEQ (\d{1,10}) (\d{1,10}) (\d{1,10})\r\n").match


def header_is_incomplete(data: bytes, start: int) -> bool:
    """Say whether what begins at start may still become a header.

    Args:
        data: Octets received.
        start: Where the header begins.

    Returns:
        True if more octets are needed.

    Raises:
        RemoteProtocolError: A whole line that is no header, or too long a line (BF-01, BF-02, BF-08).

    Source: RFC 3080 §2.2.1.1.
    """
    line_end = data.find(b"\r\n", start, start + MAX_HEADER)
    if line_end >= 0:
        raise RemoteProtocolError(f"not a frame header: {data[start:line_end]!r}")
    if len(data) - start >= MAX_HEADER:
        raise RemoteProtocolError(f"frame header without end: {data[start : start + MAX_HEADER]!r}…")
    return True


def build_frame(
    keyword: bytes, channel: int, msgno: int, more: bytes, seqno: int, payload: bytes, ansno: int | None
) -> bytes:
    """Build one data frame.

    Args:
        keyword: MSG, RPY, ERR, ANS or NUL.
        channel: Channel number.
        msgno: Message number.
        more: FINAL or MORE.
        seqno: Sequence number of the first payload octet, already modulo 2**32.
        payload: The octets between header and trailer.
        ansno: Answer number, for ANS only.

    Returns:
        Header, payload and trailer.

    Source: RFC 3080 §2.2.1.
    """
    if ansno is None:
        return b"%b %d %d %b %d %d\r\n%bEND\r\n" % (
            keyword,
            channel,
            msgno,
            more,
            seqno,
            len(payload),
            payload,
        )
    return b"%b %d %d %b %d %d %d\r\n%bEND\r\n" % (
        keyword,
        channel,
        msgno,
        more,
        seqno,
        len(payload),
        ansno,
        payload,
    )


def build_seq(channel: int, ackno: int, window: int) -> bytes:
    """Build a SEQ frame.

    Args:
        channel: Channel number.
        ackno: Next octet expected, already modulo 2**32.
        window: Octets the peer may send from there.

    Returns:
        The frame.

    Source: RFC 3081 §3.1.3.
    """
    return b"SEQ %d %d %d\r\n" % (channel, ackno, window)
