"""What a reverse proxy says counts when the proxy is trusted, and never otherwise (RFC 7239)."""

from __future__ import annotations

from pathlib import Path

import pytest
from http_world import World
from hypothesis import given
from hypothesis import strategies as st

from kalends.serve.config import ConfigError, load_config
from kalends.serve.http.head import BadHeadError, Head
from kalends.serve.proxies import Proxies, Seen, read_networks

TRUSTED = ("10.0.0.0/8", "2001:db8::/32", "127.0.0.1")


def see(
    *fields: tuple[str, str],
    path: str = "/dav/x",
    peer: str = "10.1.2.3",
    prefix: str = "",
    trusted: tuple[str, ...] = TRUSTED,
    secure: bool = False,
) -> Seen:
    lines = [("Host", "inner:8026"), *fields]
    head = Head(
        "GET", path.encode(), [(n.encode(), v.encode("latin-1")) for n, v in lines], peer=peer, secure=secure
    )
    return Proxies(read_networks(trusted), prefix, "cal.example.com").see(head)


def test_without_a_proxy_the_connection_and_host_tell() -> None:
    seen = see(peer="192.0.2.1", secure=True)
    assert seen == Seen("192.0.2.1", True, "https://inner:8026", "inner", "", "/dav/x")


def test_a_trusted_proxys_fields_count() -> None:
    seen = see(
        ("X-Forwarded-For", "192.0.2.7"),
        ("X-Forwarded-Proto", "https"),
        ("X-Forwarded-Host", "Cal.Example.com"),
        ("X-Forwarded-Prefix", "/cal/"),
        path="/cal/dav/x",
    )
    assert seen == Seen("192.0.2.7", True, "https://cal.example.com", "cal.example.com", "/cal", "/dav/x")


def test_a_standard_field_that_a_client_made_up_counts_nothing_beside_the_proxys_own_rfc_7239_8_1() -> None:
    seen = see(
        ("Forwarded", "for=127.0.0.1;proto=https;host=evil.example"),
        ("X-Forwarded-For", "192.0.2.7"),
        ("X-Forwarded-Proto", "http"),
        ("X-Forwarded-Host", "cal.example.com"),
    )
    assert seen == Seen("192.0.2.7", False, "http://cal.example.com", "cal.example.com", "", "/dav/x")


def test_the_standard_field_counts_where_the_proxy_writes_it_rfc_7239_4() -> None:
    seen = see(
        (
            "Forwarded",
            'for=192.0.2.9;proto=http;host=evil, for="[2001:db8:1::1]:4711";proto=https;host="a.example:444"',
        ),
    )
    assert seen == Seen("192.0.2.9", True, "https://a.example:444", "a.example", "", "/dav/x")


@pytest.mark.parametrize(
    ("chain", "address"),
    [
        ("1.1.1.1, 192.0.2.7", "192.0.2.7"),
        ("1.1.1.1, 192.0.2.7, 10.9.9.9", "192.0.2.7"),
        ("10.8.8.8, 10.9.9.9", "10.8.8.8"),
        ("192.0.2.7:5555", "192.0.2.7"),
        ("[2001:db9::1]:5555", "2001:db9::1"),
        ("unknown", "10.1.2.3"),
        ("192.0.2.7, nonsense", "10.1.2.3"),
        ("", "10.1.2.3"),
    ],
)
def test_the_last_address_counts_that_is_no_proxy_of_ours(chain: str, address: str) -> None:
    assert see(("X-Forwarded-For", chain)).address == address


def test_who_is_not_trusted_says_nothing() -> None:
    seen = see(
        ("X-Forwarded-For", "127.0.0.1"),
        ("X-Forwarded-Proto", "https"),
        ("X-Forwarded-Host", "evil.example"),
        ("X-Forwarded-Prefix", "/evil"),
        ("Forwarded", "for=127.0.0.1;proto=https;host=evil.example"),
        peer="192.0.2.66",
    )
    assert seen == Seen("192.0.2.66", False, "http://inner:8026", "inner", "", "/dav/x")


def test_a_proxy_on_this_machine_that_nobody_named_makes_nothing_private() -> None:
    assert see(peer="127.0.0.1", trusted=()).private
    assert not see(("X-Forwarded-For", "192.0.2.1"), peer="127.0.0.1", trusted=()).private
    assert not see(("Forwarded", "for=192.0.2.1"), peer="::1", trusted=()).private


def test_a_client_cannot_pass_as_this_machine_through_a_proxy() -> None:
    assert see(("X-Forwarded-For", "127.0.0.1, 192.0.2.1")).private is False
    assert see(("X-Forwarded-For", "192.0.2.1"), peer="127.0.0.1").private is False


@pytest.mark.parametrize(
    ("path", "inner"),
    [
        ("/cal/dav/x", "/dav/x"),
        ("/cal/", "/"),
        ("/cal", "/"),
        ("/dav/x", "/dav/x"),
        ("/calendar", "/calendar"),
    ],
)
def test_the_prefix_may_be_taken_off_by_the_proxy_or_left(path: str, inner: str) -> None:
    seen = see(path=path, prefix="/cal")
    assert (seen.prefix, seen.path) == ("/cal", inner)


@pytest.mark.parametrize(
    "prefix", ["cal", "/a/../b", "//evil.example", '/"><script>', "/a\x7f", "/" + "a" * 300]
)
def test_a_prefix_that_is_none_is_ignored_and_as_a_setting_refused(prefix: str) -> None:
    assert see(("X-Forwarded-Prefix", prefix)).prefix == ""
    with pytest.raises(ConfigError, match=r"expected a path such as /cal"):
        load_config({"http_prefix": prefix}, {"HOME": "/nowhere"})


@pytest.mark.parametrize("host", ["a/b", "a b", "user@a", "a\tb", "a:b", "[::1", "", "a" * 300])
def test_a_host_that_is_none_is_400_rfc_9112_3_2(host: str) -> None:
    with pytest.raises(BadHeadError):
        see(("X-Forwarded-Host", host or "-"))


def test_settings_are_read_and_checked() -> None:
    env = {"HOME": "/nowhere"}
    config = load_config({"trusted_proxies": "10.0.0.0/8, ::1", "http_prefix": "/cal/"}, env)
    assert [str(one) for one in config.trusted_proxies] == ["10.0.0.0/8", "::1/128"]
    assert config.http_prefix == "/cal"
    assert load_config({}, env).trusted_proxies == ()
    with pytest.raises(ConfigError, match="expected addresses or networks"):
        load_config({"trusted_proxies": "proxy.example"}, env)


def test_a_proxy_under_a_path_shows_paths_that_lead_back_to_it(tmp_path: Path) -> None:
    with World(tmp_path, trusted_proxies="127.0.0.1", http_prefix="/cal") as world:
        fields = {
            "X_Forwarded_For": "192.0.2.1",
            "X_Forwarded_Proto": "https",
            "X_Forwarded_Host": "a.example",
        }
        told = world.ask("GET", "/cal/dav/x", **fields).json
        assert (told["origin"], told["prefix"], told["path"]) == ("https://a.example", "/cal", "/dav/x")
        port = world.ask("GET", "/cal/port/1026", user="", **fields)
        assert b'href="/cal/port' in port.body or b"/cal/port" in port.body


@given(
    st.lists(
        st.tuples(
            st.sampled_from(
                [
                    "Forwarded",
                    "X-Forwarded-For",
                    "X-Forwarded-Proto",
                    "X-Forwarded-Host",
                    "X-Forwarded-Prefix",
                ]
            ),
            st.text('afor=;,"\\[]:.1 http/-_%', max_size=60),
        ),
        max_size=4,
        unique_by=lambda pair: pair[0],
    )
)
def test_whatever_a_proxy_writes_gives_a_proper_origin_or_400(fields: list[tuple[str, str]]) -> None:
    try:
        seen = see(*fields)
    except BadHeadError:
        return
    assert seen.origin.split("://")[0] in ("http", "https")
    assert not set(seen.origin) & set(' "\\,;')
    assert seen.prefix == "" or (seen.prefix.startswith("/") and not seen.prefix.startswith("//"))
