"""`kalends port`: this room's command line, on argparse, for click alone costs more than the work."""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Sequence
from typing import NoReturn, TextIO

from kalends.ports import report, sockets, text
from kalends.ports.clean import clean
from kalends.ports.registry import Record, Registry, load_file

MAX_FREE = 1000
_EPILOG = """\
examples:
  kalends port 1026              the registry's entry beside what really listens
  kalends port 1026/udp          one transport only
  kalends port https             by registered name
  kalends port 1000-1100         a range, a line a run; * marks what listens
  kalends port --free 3          three ports that are free to use here
  kalends port 8080 --check free for scripts: exit 0 when true, 1 when not
  kalends port 1026 --json       everything as data

exit: 0 answered, 1 name unknown or --check not true, 2 usage.
It is not a scanner: it knocks on loopback or one named host, never on a
range, and pokes udp for our own CAP signpost only."""


class _UsageError(Exception):
    """Wrong words on the command line."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise _UsageError(message)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="kalends port",
        description="What the official registry says of a port, and what really listens there.",
        epilog=_EPILOG,
        formatter_class=lambda prog: argparse.RawDescriptionHelpFormatter(prog, width=80),
    )
    parser.add_argument(
        "port", nargs="?", metavar="PORT", help="number, number/udp, service name, or a range a-b"
    )
    parser.add_argument("--free", nargs="?", type=int, const=1, metavar="N", help="N free ports (default 1)")
    parser.add_argument("--range", metavar="A-B", help="with --free: choose from these ports")
    parser.add_argument(
        "--registered",
        action="store_true",
        help="with --free: choose from user ports that IANA has not assigned",
    )
    parser.add_argument("--transport", choices=("tcp", "udp"), help="speak of this transport only")
    parser.add_argument("--host", metavar="H", help="knock at this one host instead of this machine")
    parser.add_argument("--no-probe", action="store_true", help="do not connect to anything")
    parser.add_argument(
        "--check", choices=("listening", "free", "registered"), help="print nothing; answer by exit code"
    )
    parser.add_argument("--all", action="store_true", help="a name with several ports: show each")
    parser.add_argument("--data", metavar="FILE", help="a newer IANA csv or xml, as downloaded")
    parser.add_argument("--json", action="store_true", help="as data (format kalends.port/1)")
    parser.add_argument(
        "--verbose", "-v", action="store_true", help="whole command lines (may show secrets) and notes"
    )
    return parser


def options() -> list[tuple[str, str]]:
    """Every option and its line of help, for a shell's completion."""
    actions = _parser()._actions  # argparse tells its options in no other way
    return [
        (name, action.help or "") for action in actions for name in action.option_strings if name[:2] == "--"
    ]


def main(argv: Sequence[str], out: TextIO | None = None, err: TextIO | None = None) -> int:
    """Run the command.

    Args:
        argv: the words after `kalends port`.
        out: where the answer goes; stdout by default.
        err: where complaints go; stderr by default.

    Returns:
        The exit code: 0 answered, 1 unknown or not true, 2 usage.
    """
    out, err = out or sys.stdout, err or sys.stderr
    try:
        options = _parser().parse_args(list(argv))
        return _run(options, out, err)
    except _UsageError as error:
        err.write(f"kalends port: {clean(str(error))}\nTry 'kalends port --help'.\n")
        return 2
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), out.fileno())
        return 0


def _run(options: argparse.Namespace, out: TextIO, err: TextIO) -> int:
    registry = _registry(options.data)
    if options.free is not None:
        return _free(registry, options, out, err)
    asked = (options.port or "").strip()
    if not asked:
        raise _UsageError("which port? a number, a name or a range")
    word, transport = _transport(asked, options.transport)
    span = re.fullmatch(r"(\d+)-(\d+)", word)
    if span:
        return _range(registry, *_bounds(span[1], span[2]), options, out)
    if re.fullmatch(r"[\d+-]+", word):
        return _page(registry, [_number(word)], transport, [], options, out, err)
    return _named(registry, word, transport, options, out, err)


def _registry(path: str | None) -> Registry:
    if path is None:
        return Registry.load()
    try:
        return load_file(path)
    except OSError as error:
        raise _UsageError(f"--data {path}: {error.strerror}") from None
    except ValueError as error:
        raise _UsageError(f"--data {path}: {error}") from None


def _transport(word: str, given: str | None) -> tuple[str, str | None]:
    left, slash, right = word.partition("/")
    if not slash:
        return word, given
    if right not in ("tcp", "udp"):
        raise _UsageError(f"{word!r}: after the slash stands tcp or udp")
    if given and given != right:
        raise _UsageError(f"{word!r} and --transport {given} contradict each other")
    return left, right


def _number(word: str) -> int:
    if not word.isdigit() or not word.isascii() or len(word) > 5 or int(word) > 65535:
        raise _UsageError(f"{word!r} is no port: ports are 0 to 65535")
    return int(word)


def _bounds(low: str, high: str) -> tuple[int, int]:
    first, last = _number(low), _number(high)
    if first > last:
        raise _UsageError(f"the range {low}-{high} runs backwards")
    return first, last


def _colour(out: TextIO) -> bool:
    return out.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def _write_json(out: TextIO, value: object) -> None:
    import json  # noqa: PLC0415 - only where it is asked for

    out.write(json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def _named(
    registry: Registry,
    name: str,
    transport: str | None,
    options: argparse.Namespace,
    out: TextIO,
    err: TextIO,
) -> int:
    records = [r for r in registry.named(name) if transport is None or r.transport in (transport, "")]
    if not records:
        near = registry.nearest(name)
        hint = f" The nearest names: {', '.join(near)}." if near else ""
        err.write(f"kalends port: the registry has no service called {clean(name, 40)!r}.{hint}\n")
        return 1
    ports = list(dict.fromkeys(r.low for r in records if r.low is not None))
    if not ports:
        return _portless(records, options, out)
    shown = ports if options.all else ports[:1]
    others = (
        []
        if options.all or len(ports) == 1
        else [
            f"“{clean(name, 40)}” is also registered at {', '.join(map(str, ports[1:]))} (--all shows each)"
        ]
    )
    return _page(registry, shown, transport, others, options, out, err)


def _portless(records: list[Record], options: argparse.Namespace, out: TextIO) -> int:
    if options.check:
        return 0 if options.check == "registered" else 1
    if options.json:
        _write_json(out, report.portless_as_json(records))
        return 0
    page = text.Page(colour=_colour(out), verbose=options.verbose)
    page.lines.append(page.style(f"{records[0].name}: a registered service name without a port", "bold"))
    text.official(page, records)
    page.say(text.PORTLESS)
    out.write(page.text())
    return 0


def _page(
    registry: Registry,
    ports: list[int],
    transport: str | None,
    notes: list[str],
    options: argparse.Namespace,
    out: TextIO,
    err: TextIO,
) -> int:
    made = []
    for port in ports:
        try:
            made.append(
                report.make(
                    registry,
                    port,
                    transport=transport,
                    probe=not options.no_probe and options.check in (None, "listening"),
                    host=options.host,
                    owners=options.check is None,
                )
            )
        except OSError as error:
            err.write(
                f"kalends port: {clean(str(options.host), 60)}: {clean(str(error.strerror or error))}\n"
            )
            return 1
    if options.check:
        return 0 if all(_holds(options.check, one) for one in made) else 1
    if options.json:
        values = [report.as_json(one, verbose=options.verbose) for one in made]
        _write_json(out, values[0] if len(values) == 1 else values)
        return 0
    colour = _colour(out)
    out.write(
        "\n".join(text.render(one, colour=colour, verbose=options.verbose, aliases=notes) for one in made)
    )
    return 0


def _holds(check: str, one: report.Report) -> bool:
    if check == "registered":
        return bool(one.verdict.registered_names)
    if check == "listening":
        return one.verdict.state != "nothing listens"
    from kalends.ports import free  # noqa: PLC0415 - the rest need not pay for it

    bound = [s for s in one.machine.sockets if s.kind == "listening"]
    return one.port > 0 and not bound and free.bindable(one.port)


def _range(registry: Registry, low: int, high: int, options: argparse.Namespace, out: TextIO) -> int:
    if options.check or options.host:
        raise _UsageError("--check and --host take one port, not a range")
    live = sockets.listening(low, high)
    if options.json:
        _write_json(out, report.range_as_json(registry, low, high, live))
        return 0
    out.write(text.render_runs(registry, low, high, live, colour=_colour(out)))
    return 0


def _free(registry: Registry, options: argparse.Namespace, out: TextIO, err: TextIO) -> int:
    from kalends.ports import free  # noqa: PLC0415 - the rest need not pay for it

    if options.port is not None:
        raise _UsageError("--free takes no port; --range limits the choice")
    if not 1 <= options.free <= MAX_FREE:
        raise _UsageError(f"--free takes 1 to {MAX_FREE}")
    low = high = None
    if options.range:
        span = re.fullmatch(r"(\d+)-(\d+)", options.range)
        if not span:
            raise _UsageError(f"--range {options.range!r}: two ports with a dash between them")
        low, high = _bounds(span[1], span[2])
    found = free.find(registry, options.free, low, high, registered=options.registered)
    if options.json:
        _write_json(out, {"format": report.FORMAT, "free": found, "asked": options.free})
    else:
        out.writelines(f"{port}\n" for port in found)
        if options.registered and found:
            err.write(free.ADVICE + "\n")
    if len(found) < options.free:
        err.write(f"kalends port: only {len(found)} of {options.free} free ports found there\n")
        return 1
    return 0
