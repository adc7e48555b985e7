"""The head of a request: fields that come more than once (RFC 9110 §5.3)."""

from __future__ import annotations

import pytest

from kalends.serve.http.head import BadHeadError, Head


def head(*fields: tuple[bytes, bytes]) -> Head:
    return Head("PUT", b"/dav/x", [(b"Host", b"cal.example.com"), *fields])


@pytest.mark.parametrize("name", ["If-Match", "If-None-Match", "Prefer"])
def test_fields_that_are_lists_are_joined(name: str) -> None:  # RFC 9110 §5.3, §13.1.1
    lines = [(name.encode(), b'"a"'), (name.lower().encode(), b'"b"')]
    assert head(*lines).headers[name.lower()] == '"a", "b"'


@pytest.mark.parametrize("name", [b"Host", b"Authorization", b"Destination", b"Depth", b"Content-Type"])
def test_fields_of_one_value_come_once(name: bytes) -> None:
    with pytest.raises(BadHeadError):
        head((name, b"a"), (name, b"b"))
