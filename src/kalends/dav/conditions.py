"""Conditional requests: If-Match and its relatives (RFC 9110 §13), and WebDAV's If (RFC 4918 §10.4)."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from kalends.dav.context import Context
from kalends.dav.dates import read_http_date
from kalends.dav.errors import DavError

Lookup = Callable[[str], "str | None"]
"""The ETag, in quotes, of the resource at a local path; None when there is none."""

_ETAG = re.compile(r'\s*(W/)?("[^"]*")\s*(?:,|\Z)')
_LIST_TOKEN = re.compile(r'\s*(?:<([^>]*)>|(\()|(\))|(?i:(not)\b)|\[\s*(?:W/)?("[^"]*")\s*\])')


def etags(header: str) -> list[str]:
    """The entity tags of If-Match or If-None-Match, in quotes; weak ones are read like strong ones.

    A tag without quotes, as some clients send it, is taken as if it had them.
    """
    found: list[str] = []
    at = 0
    while match := _ETAG.match(header, at):
        found.append(match[2])
        at = match.end()
        if at >= len(header):
            return found
    found += [f'"{part.strip()}"' for part in header[at:].split(",") if part.strip()]
    return found


def failed(sentence: str) -> DavError:
    """412."""
    return DavError(412, None, sentence)


def check_write(context: Context, etag: str | None) -> None:
    """Check the conditions of a request that changes one resource.

    Args:
        context: the request.
        etag: of the resource as it is, in quotes; '' for one that has none; None when there is no resource.

    Raises:
        DavError: 412 when a condition does not hold.

    Source: RFC 9110 §13.1, §13.2.2.
    """
    match = context.header("if-match")
    if match is not None:
        if etag is None:
            raise failed("If-Match: there is nothing at this path.")
        if match != "*" and etag not in etags(match):
            raise failed("If-Match: the resource was changed since; fetch it and try again.")
    none_match = context.header("if-none-match")
    if none_match is not None and etag is not None and (none_match == "*" or etag in etags(none_match)):
        raise failed("If-None-Match: there is a resource at this path already.")


def check_unmodified(context: Context, changed_at: int | None) -> None:
    """Check If-Unmodified-Since, which counts only without If-Match.

    Args:
        context: the request.
        changed_at: of the resource; None when there is none.

    Raises:
        DavError: 412 when it was changed since.

    Source: RFC 9110 §13.1.4.
    """
    given = context.header("if-unmodified-since")
    if given is None or context.header("if-match") is not None:
        return
    since = read_http_date(given)
    if since is not None and (changed_at is None or changed_at > since):
        raise failed("If-Unmodified-Since: the resource was changed since.")


def check_schedule_tag(context: Context, tag: str | None) -> None:
    """Check If-Schedule-Tag-Match.

    Args:
        context: the request.
        tag: the Schedule-Tag of the resource, without quotes; None when there is none.

    Raises:
        DavError: 412 when it is another one.

    Source: RFC 6638 §8.3.
    """
    given = context.header("if-schedule-tag-match")
    if given is not None and given != "*" and (tag is None or f'"{tag}"' not in etags(given)):
        raise failed("If-Schedule-Tag-Match: the organizer changed the event since; fetch it and try again.")


def not_modified(context: Context, etag: str, changed_at: int | None) -> bool:
    """Whether a GET may be answered with 304.

    Args:
        context: the request.
        etag: of the resource, in quotes.
        changed_at: seconds UTC; None where that is not told, and dates say nothing.

    Raises:
        DavError: 412 when If-Match or If-Unmodified-Since does not hold.

    Source: RFC 9110 §13.2.2.
    """
    match = context.header("if-match")
    if match is not None and match != "*" and etag not in etags(match):
        raise failed("If-Match: the resource was changed since.")
    if changed_at is not None:
        check_unmodified(context, changed_at)
    none_match = context.header("if-none-match")
    if none_match is not None:
        return none_match == "*" or etag in etags(none_match)
    if changed_at is None:
        return False
    since = context.header("if-modified-since")
    at = None if since is None else read_http_date(since)
    return at is not None and changed_at <= at


@dataclass(frozen=True, slots=True)
class Term:
    """One condition of an If header's list: a state token or an entity tag, negated or not."""

    negated: bool
    token: str | None
    etag: str | None


@dataclass(frozen=True, slots=True)
class Tagged:
    """One list of an If header: all of its terms have to hold of one resource.

    Attributes:
        uri: the resource it is about; None for the request's own.
        terms: in order.
    """

    uri: str | None
    terms: tuple[Term, ...]


MAX_LISTS = 100
"""Lists of one If header: one is common, several are exotic."""


def read_if(header: str) -> list[Tagged]:
    """Read an If header.

    Raises:
        DavError: 400 for what is none.

    Source: RFC 4918 §10.4.2.
    """
    lists: list[Tagged] = []
    uri: str | None = None
    terms: list[Term] | None = None
    negated = False
    at = 0
    while at < len(header):
        found = _LIST_TOKEN.match(header, at)
        if found is None:
            break
        at = found.end()
        link, opened, closed, no, tag = found.groups()
        if terms is None:
            if link is not None and (not lists or uri is not None):
                uri = link
                continue
            if not opened:
                raise _malformed()
            terms = []
        elif closed:
            if not terms or negated:
                raise _malformed()
            lists.append(Tagged(uri, tuple(terms)))
            terms = None
        elif no:
            negated = True
        elif link is not None or tag is not None:
            terms.append(Term(negated, link, tag))
            negated = False
        else:
            raise _malformed()
    if terms is not None or not lists or header[at:].strip() or len(lists) > MAX_LISTS:
        raise _malformed()
    return lists


def _malformed() -> DavError:
    return DavError(400, None, 'The If header cannot be read; it is a list such as (<token> ["etag"]).')


def check_if(context: Context, etag_at: Lookup) -> None:
    """Check the If header, when there is one.

    A state token is a calendar's sync token; there are no locks here, so that no other one ever matches.

    Args:
        context: the request.
        etag_at: the ETag of the resource at a local path ('' for the request's own), or None.

    Raises:
        DavError: 412 when no list holds; 400 for a header that is none.

    Source: RFC 4918 §10.4; RFC 6578 §5.
    """
    header = context.header("if")
    if header is None:
        return
    for one in read_if(header):
        path = "" if one.uri is None else context.local_path(one.uri)
        etag = None if path is None else etag_at(path)
        token = None if path is None else context.tokens.get(path or context.request.path)
        if all(_holds(term, etag, token) is not term.negated for term in one.terms):
            return
    raise failed("If: no list of conditions holds; what they are about was changed, or is no lock of ours.")


def _holds(term: Term, etag: str | None, token: str | None) -> bool:
    if term.token is not None:
        return term.token == token
    return term.etag is not None and term.etag == etag


def paths_of_tokens(context: Context) -> list[str]:
    """The local paths of which an If header names a state token; a header that cannot be read has none."""
    header = context.header("if") or ""
    try:
        lists = read_if(header) if "<" in header else []
        named = [one.uri for one in lists if any(term.token is not None for term in one.terms)]
        found = [context.request.path if uri is None else context.local_path(uri) for uri in named]
    except DavError:
        return []  # `check_if` says what is wrong with it
    return sorted({path for path in found if path is not None})
