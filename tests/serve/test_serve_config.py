"""Settings: precedence, checks with clear messages, nothing secret shown."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kalends.serve.config import SETTINGS, Config, ConfigError, load_config, redact_url

HOME = {"HOME": "/home/bob"}


def test_defaults() -> None:
    config = load_config({}, HOME)
    assert config.store == "/home/bob/.local/share/kalends/store.db"
    assert (config.host, config.cap_port, config.csid, config.realm) == (
        "127.0.0.1",
        1026,
        "localhost",
        "localhost",
    )
    assert config.mechanisms == ("SCRAM-SHA-256", "PLAIN", "EXTERNAL")
    assert load_config({}, {"XDG_DATA_HOME": "/data"}).store == "/data/kalends/store.db"
    assert config.data_folder == Path("/home/bob/.local/share/kalends")


def test_option_beats_environment_beats_file_beats_default(tmp_path: Path) -> None:
    file = tmp_path / "kalends.toml"
    file.write_text("cap-port = 1\nhost = '10.0.0.1'\ncsid = 'File.Example'\n")
    env = {**HOME, "KALENDS_CAP_PORT": "2", "KALENDS_HOST": "::1", "KALENDS_CONFIG": str(file)}
    config = load_config({"cap_port": 3, "host": None}, env)
    assert (config.cap_port, config.host, config.csid, config.realm) == (
        3,
        "::1",
        "file.example",
        "file.example",
    )
    assert load_config({}, HOME, file).cap_port == 1


def test_policy_is_what_the_settings_say() -> None:
    policy = load_config({"csid": "a.test", "realm": "b.test", "max_object": "2M"}, HOME).policy
    assert (policy.csid, policy.realm, policy.max_object) == ("a.test", "b.test", 2 * 1024**2)
    assert not policy.conflict_counts_everything
    assert load_config(
        {}, HOME | {"KALENDS_CONFLICT_COUNTS_EVERYTHING": "yes"}
    ).policy.conflict_counts_everything


@pytest.mark.parametrize(
    ("options", "source", "words"),
    [
        ({"cap_port": "70000"}, "--cap-port", "65535"),
        ({"cap_port": "x"}, "--cap-port", "whole number"),
        ({"cap_port": True}, "--cap-port", "whole number"),
        ({"csid": "no host!"}, "--csid", "host name"),
        ({"csid": ""}, "--csid", "some text"),
        ({"realm": "no realm!"}, "--realm", "host name"),
        ({"mechanisms": "DIGEST-MD5"}, "--mechanisms", "unknown SASL mechanism 'DIGEST-MD5'"),
        ({"mechanisms": []}, "--mechanisms", "at least one"),
        ({"max_object": "12"}, "--max-object", "at least 4096"),
        ({"max_object": "many"}, "--max-object", "octets such as 10M"),
        ({"idle_timeout": "soon"}, "--idle-timeout", "seconds such as 30"),
        ({"max_channels": 0}, "--max-channels", "1 or more"),
        ({"log_format": "xml"}, "--log-format", "one of text, json"),
        ({"strict": "perhaps"}, "--strict", "true or false"),
        ({"anonymous": "bob@example.com"}, "--anonymous", "@ or @realm"),
        ({"plaintext": True, "host": "0.0.0.0"}, "--plaintext", "refused: 0.0.0.0 can be reached"),
        ({"plaintext": True, "host": "cal.example.com"}, "--plaintext", "refused"),
        ({"tls_cert": "/x.pem"}, "--tls-cert", "go together"),
        ({"max_object": "100M"}, "--max-buffered", "twice max-object"),
    ],
)
def test_bad_settings_are_refused_with_their_place(
    options: dict[str, object], source: str, words: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(options, HOME)
    assert caught.value.source == source
    assert words in caught.value.reason
    assert str(caught.value).startswith(f"{source}: ")


def test_environment_and_file_are_named_in_messages(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="KALENDS_CAP_PORT: expected a whole number"):
        load_config({}, {**HOME, "KALENDS_CAP_PORT": "x"})
    file = tmp_path / "k.toml"
    file.write_text("cap-port = 'x'")
    with pytest.raises(ConfigError, match=r"k\.toml: cap-port: expected a whole number"):
        load_config({}, HOME, file)


@pytest.mark.parametrize(
    ("text", "words"),
    [("cap-prot = 1", "no setting 'cap-prot'"), ("= 1", "is not TOML"), ("\xff", "is not TOML")],
)
def test_file_that_cannot_be_used(tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "k.toml"
    file.write_bytes(text.encode("latin-1"))
    with pytest.raises(ConfigError, match=words):
        load_config({}, HOME, file)
    with pytest.raises(ConfigError, match="cannot be read"):
        load_config({}, HOME, tmp_path / "missing.toml")


def test_plaintext_is_allowed_on_loopback() -> None:
    for host in ("127.0.0.1", "::1", "localhost", "127.9.9.9"):
        assert load_config({"plaintext": True, "host": host}, HOME).plaintext


def test_units() -> None:
    config = load_config({"idle_timeout": "5m", "login_timeout": "1.5", "drain_timeout": "1h"}, HOME)
    assert (config.idle_timeout, config.login_timeout, config.drain_timeout) == (300, 1.5, 3600)
    assert load_config({"max_object": "64KiB"}, HOME).max_object == 65536


def test_password_of_the_store_is_never_shown() -> None:
    config = load_config({"store": "postgresql://kalends:s3cr:et@p@db/kalends?password=s3cret&x=1"}, HOME)
    assert "s3cr" not in repr(config)
    assert config.shown_store == "postgresql://kalends:…@db/kalends?password=…&x=1"
    assert redact_url("/var/lib/store.db") == "/var/lib/store.db"


@settings(max_examples=100)
@given(
    user=st.text("abc", min_size=1, max_size=5),
    password=st.text(st.characters(codec="ascii", categories=("L", "N", "P")), min_size=1, max_size=20),
)
def test_any_password_is_hidden(user: str, password: str) -> None:
    shown = redact_url(f"postgresql://{user}:{password.replace('?', '')}XYZZY@host/db")
    assert "XYZZY" not in shown
    assert shown.startswith(f"postgresql://{user}:…@")


def test_every_setting_is_told_once() -> None:
    names = [name for name, _, _ in SETTINGS]
    assert [*names, "virtual_hosts"] == list(Config.__dataclass_fields__)
    assert all(text and not text.endswith(".") for _, text, _ in SETTINGS)


VHOSTS = """
csid = "a.test"
store = "a.db"
aliases = ["www.a.test"]

[[virtual-host]]
csid = "b.test"
realm = "b.example"
store = "b.db"
identity-from = ["cn"]
"""


def test_SES09_virtual_hosts_have_names_stores_and_certificates_of_their_own(tmp_path: Path) -> None:
    file = tmp_path / "k.toml"
    file.write_text(VHOSTS)
    config = load_config({"command_timeout": "5", "client_ca": "/ca.pem"}, HOME, file)
    (host,) = config.virtual_hosts
    assert (config.names, host.names) == (("a.test", "www.a.test"), ("b.test",))
    assert (config.realm, host.realm) == ("a.test", "b.example")
    assert (host.store, host.data_folder.name, host.client_ca, host.tls_cert) == (
        "b.db",
        "b.test",
        None,
        None,
    )
    assert (host.identity_from, host.command_timeout) == (("cn",), 5.0)
    assert host.policy.csid == "b.test"
    assert config.serving("b.db") == host
    assert (config.serving("other.db").csid, config.serving("other.db").store) == ("a.test", "other.db")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[[virtual-host]]\ncsid = 'b.test'", "a virtual host needs store"),
        ("[[virtual-host]]\nstore = 'b.db'", "a virtual host needs csid"),
        ("[[virtual-host]]\ncsid = 'b.test'\nstore = 'b.db'\ncap-port = 1", "no setting 'cap-port'"),
        ("[[virtual-host]]\ncsid = 'b test'\nstore = 'b.db'", "csid: expected a host name"),
        ("[[virtual-host]]\ncsid = 'b.test'\nstore = 'b.db'\ntls-cert = 'x.pem'", "go together"),
        ("csid = 'b.test'\n[[virtual-host]]\ncsid = 'b.test'\nstore = 'b.db'", "one name: b.test"),
        ("store = 'b.db'\n[[virtual-host]]\ncsid = 'b.test'\nstore = './b.db'", "one store"),
        ("virtual-host = [1]", "expected settings of a host"),
        ("virtual-host = 1", "expected settings of a host"),
    ],
)
def test_virtual_hosts_that_cannot_be_used(tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "k.toml"
    file.write_text(text)
    with pytest.raises(ConfigError, match=words):
        load_config({}, HOME, file)


def test_what_tells_the_user_of_a_certificate() -> None:
    assert load_config({"identity_from": "CN, san-email"}, HOME).identity_from == ("cn", "san-email")
    with pytest.raises(ConfigError, match="expected one or more of fingerprint"):
        load_config({"identity_from": "hair"}, HOME)
    assert load_config({"anonymous": "@Example.com"}, HOME).policy.anonymous == "@example.com"
