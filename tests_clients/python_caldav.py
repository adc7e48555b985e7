"""python-caldav's own functional tests, from its source archive, without any hint about the server."""

from __future__ import annotations

import json
import re
import tarfile
import xml.etree.ElementTree as ET
from pathlib import Path

from tests_clients.world import APPS, PASSWORD, ROOT, AbsentError, FailedError, World, kalends_world

REASONS = {
    "testScheduleTagStableOnPartstateUpdate": "RFC 6638 §3.2.10: the tag MUST change when an attendee PUTs the copy",
    "test_schedule_tag_stable_on_partstate_update": "the same, with its asynchronous client",
    "testCheckCompatibility": "caldav-server-tester inside: the same feature, alone",
}
"""Tests that fail, and why that is right."""


def run(folder: Path) -> str:
    """Fetch the archive of the pinned version, and run what speaks to a server."""
    python = APPS / "bin" / "python"
    if not python.exists():
        raise AbsentError("python-caldav is not installed: make test-clients")
    with kalends_world(folder) as world:
        source = _source(world, python)
        _configure(source, world)
        report = folder / "report.xml"
        world.run(
            str(python), "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junitxml={report}",
            "-o", "asyncio_default_fixture_loop_scope=function",
            # The tests call what their own library calls deprecated.
            "-W", "ignore:principals() is deprecated:DeprecationWarning",
            *(f"tests/test_{name}.py" for name in ("caldav", "async_integration", "examples")),
            ok=(0, 1), seconds=1500, where=source,
        )  # fmt: skip
        return _judge(report)


def _source(world: World, python: Path) -> Path:
    """The unpacked source archive; its version and hash are those of constraints-clients.txt."""
    pinned = (ROOT / "constraints-clients.txt").read_text()
    line = re.search(r"^caldav==(\S+) \\\n(?:    --hash=\S+(?: \\)?\n)+", pinned, re.MULTILINE)
    assert line is not None, "caldav is not pinned"
    (world.folder / "caldav.txt").write_text(line[0])
    world.run(
        str(python), "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps",
        "--no-binary", ":all:", "--no-build-isolation", "--require-hashes", "--dest", ".", "--requirement", "caldav.txt",
    )  # fmt: skip
    with tarfile.open(world.folder / f"caldav-{line[1]}.tar.gz") as archive:
        archive.extractall(world.folder, filter="data")
    return world.folder / f"caldav-{line[1]}"


def _configure(source: Path, world: World) -> None:
    """Name the server and three users.

    `features` says what the library takes for granted anyway; without that key it skips its scheduling tests.
    """
    users = [
        {"url": f"{world.url}/", "username": f"{name}@example.com", "password": PASSWORD}
        for name in ("amira", "bruno", "chloe")
    ]
    server = users[0] | {
        "type": "external",
        "enabled": True,
        "features": {"scheduling": {"support": "full"}},
        "scheduling_users": users,
    }
    text = json.dumps({"test-servers": {"kalends": server}})
    (source / "tests" / "caldav_test_servers.json").write_text(text)


def _judge(report: Path) -> str:
    cases = list(ET.parse(report).getroot().iter("testcase"))
    bad = {
        case.get("name", ""): (case.find("failure") if case.find("error") is None else case.find("error"))
        for case in cases
        if case.find("failure") is not None or case.find("error") is not None
    }
    skipped = [case for case in cases if case.find("skipped") is not None]
    wrong = {name: node for name, node in bad.items() if name not in REASONS}
    mismatch = bad.get("testCheckCompatibility")
    if (
        mismatch is not None
        and "1 compatibility mismatch(es): scheduling.schedule-tag.stable-partstat"
        not in (mismatch.get("message") or "")
    ):
        wrong["testCheckCompatibility"] = mismatch
    if wrong:
        raise FailedError(
            "\n".join(f"{name}: {'' if node is None else node.text}" for name, node in wrong.items())
        )
    if len(cases) < 150 or len(skipped) > 10:
        raise FailedError(f"only {len(cases)} tests, {len(skipped)} of them skipped")
    passed = len(cases) - len(bad) - len(skipped)
    return (
        f"{passed} tests pass, {len(skipped)} skipped by themselves, {len(bad)} contradict RFC 6638 §3.2.10"
    )
