"""How a client shows who it is: which SASL mechanism, and why none (RFC 4422)."""

from __future__ import annotations

from kalends.beep import Anonymous, External, Plain, ScramSha256
from kalends.beep.mechanisms import ClientMechanism
from kalends.client.errors import AuthError
from kalends.client.options import Options

NOT_ACCEPTED = {454: "the server cannot look up passwords just now; try again later"}
"""What reply codes of a failed login mean, where the server sends no words (RFC 3080 §8)."""


def choose_mechanism(options: Options, offered: set[str], open_door: bool) -> ClientMechanism | None:
    """The best SASL mechanism that both sides know.

    Args:
        options: who we are.
        offered: names of the mechanisms in the server's greeting.
        open_door: the greeting offers CAP too, so that a session without user may do without SASL.

    Returns:
        The mechanism, or None when none is needed.

    Raises:
        AuthError: there is none, in words that say why.
    """
    password = options.password
    able: dict[str, ClientMechanism] = {}
    if options.trust.certificate is not None and password is None:
        able["EXTERNAL"] = External(options.act_as)
    if options.user is not None and password is not None:
        able["SCRAM-SHA-256"] = ScramSha256(options.user, password, options.act_as)
        if options.tls:
            able["PLAIN"] = Plain(options.user, password, options.act_as)
    if options.user is None:
        able["ANONYMOUS"] = Anonymous()
    if options.mechanism is not None:
        able = {name: able[name] for name in able if name == options.mechanism.upper()}
    for name, mechanism in able.items():
        if name in offered:
            return mechanism
    if options.user is None and open_door and not offered:
        return None
    if not able:
        raise AuthError(
            "a password is needed" if options.mechanism is None else "that mechanism cannot be used"
        )
    theirs = ", ".join(sorted(offered)) or "none"
    if options.user is None and options.mechanism is None and offered:
        raise AuthError(f"the server lets nobody in without a name: name a user (it offers {theirs})", 504)
    raise AuthError(
        f"no common way to authenticate: the server offers {theirs}, here is {', '.join(able)}", 504
    )
