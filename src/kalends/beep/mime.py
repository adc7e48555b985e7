"""Entity headers of a message (RFC 3080 §2.2, RFC 2045 §3)."""

import re
from dataclasses import dataclass

DEFAULT_TYPE = "application/octet-stream"
DEFAULT_ENCODING = "binary"
BEEP_XML = "application/beep+xml"
# Three or four header fields are usual; more than this before the blank line is no header block.
MAX_HEADER_BLOCK = 8192

_FIELD = re.compile(rb"([!-9;-~]{1,64}):[ \t]*((?:[^\r\n]|\r?\n[ \t])*)\r?\n")
_BLANK = re.compile(rb"\r?\n")
_PARAMETER = re.compile(r';\s*([^\s=;]+)\s*=\s*("(?:[^"\\]|\\.)*"|[^\s;]*)')


@dataclass(frozen=True, slots=True)
class Entity:
    """A message split into entity headers and body."""

    headers: tuple[tuple[str, str], ...]
    """Names in lower case, values unfolded, in order."""
    body: bytes
    """What follows the blank line."""

    def get(self, name: str) -> str | None:
        """Value of the first header field of that name (lower case)."""
        return next((value for key, value in self.headers if key == name), None)

    @property
    def content_type(self) -> str:
        """Type and subtype in lower case, without parameters; application/octet-stream by default."""
        value = self.get("content-type")
        return DEFAULT_TYPE if value is None else value.partition(";")[0].strip().lower()

    @property
    def parameters(self) -> dict[str, str]:
        """Parameters of Content-Type, names in lower case, quotes removed."""
        found = _PARAMETER.findall(self.get("content-type") or "")
        return {k.lower(): re.sub(r"\\(.)", r"\1", v[1:-1]) if v[:1] == '"' else v for k, v in found}

    @property
    def encoding(self) -> str:
        """Content-Transfer-Encoding in lower case; binary by default."""
        value = self.get("content-transfer-encoding")
        return DEFAULT_ENCODING if value is None else value.strip().lower()


def split_entity(payload: bytes) -> Entity:
    """Split a message.

    Three forms are taken (BF-09): header fields and a blank line; a bare line end, which says that there are
    no header fields; and, leniently (A-18), a body with neither. A bare line end may be followed by a header
    block written by an application that did not know its library had already ended the headers: that block
    counts if it has a Content-Type.

    Args:
        payload: A whole message as it came.

    Returns:
        Headers (maybe none) and body; never fails.

    Source: RFC 3080 §2.2, RFC 2045 §3.
    """
    blank = _BLANK.match(payload)
    start = blank.end() if blank else 0
    headers, end = _read_block(payload, start)
    if end < 0 or (blank and not any(name == "content-type" for name, _ in headers)):
        return Entity((), payload[start:])
    return Entity(headers, payload[end:])


def _read_block(payload: bytes, start: int) -> tuple[tuple[tuple[str, str], ...], int]:
    """Read header fields up to the blank line; the end is -1 if this is no header block."""
    headers: list[tuple[str, str]] = []
    stop = min(len(payload), start + MAX_HEADER_BLOCK)
    position = start
    while (field := _FIELD.match(payload, position, stop)) is not None:
        value = re.sub(rb"\r?\n[ \t]", b" ", field[2])
        headers.append((field[1].decode("ascii").lower(), value.decode("utf-8", "replace").strip()))
        position = field.end()
    blank = _BLANK.match(payload, position)
    if blank is None or not headers:
        return (), -1
    if any(name.startswith("content-") or name == "mime-version" for name, _ in headers):
        return tuple(headers), blank.end()
    return (), -1


def build_entity(content_type: str, body: bytes) -> bytes:
    """Put a Content-Type before a body.

    Args:
        content_type: With parameters, if any.
        body: Octets.

    Returns:
        A whole message.

    Source: RFC 3080 §2.2.
    """
    return b"Content-Type: %b\r\n\r\n%b" % (content_type.encode("ascii"), body)
