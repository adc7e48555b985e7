"""The programs of a drive: a display without a screen, and a Thunderbird that speaks to nobody but this machine."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests_clients.thunderbird.marionette import Marionette, port_of
from tests_clients.world import check, tool

SIZE = "1280x860"
DEAD = 9
"""The discard port of this machine: where a proxy would be that takes everything which is not for this machine."""
PREFS: dict[str, Any] = {
    "marionette.port": 0,
    # Nothing but this machine: whatever wants to go elsewhere goes to a proxy that is not there.
    "network.proxy.type": 1,
    "network.proxy.http": "127.0.0.1",
    "network.proxy.http_port": DEAD,
    "network.proxy.ssl": "127.0.0.1",
    "network.proxy.ssl_port": DEAD,
    "network.proxy.socks": "127.0.0.1",
    "network.proxy.socks_port": DEAD,
    "network.proxy.no_proxies_on": "127.0.0.1, localhost",
    "network.proxy.failover_direct": False,
    "network.trr.mode": 5,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "network.prefetch-next": False,
    "network.dns.disablePrefetch": True,
    "app.update.enabled": False,
    "app.update.auto": False,
    "app.normandy.enabled": False,
    "app.donation.eoy.version.viewed": 9999,
    "extensions.update.enabled": False,
    "extensions.getAddons.cache.enabled": False,
    "extensions.systemAddon.update.enabled": False,
    "extensions.blocklist.enabled": False,
    "services.settings.server": "data:,",
    "services.settings.poll_interval": 86400 * 365,
    "browser.safebrowsing.malware.enabled": False,
    "browser.safebrowsing.phishing.enabled": False,
    "browser.region.network.url": "",
    "browser.search.update": False,
    "datareporting.healthreport.uploadEnabled": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "datareporting.policy.dataSubmissionPolicyBypassNotification": True,
    "toolkit.telemetry.enabled": False,
    "toolkit.telemetry.unified": False,
    "toolkit.telemetry.server": "data:,",
    "mail.inappnotifications.enabled": False,
    "mail.inappnotifications.url": "",
    # No dialogs of a first start.
    "mail.provider.suppress_dialog_on_startup": True,
    "mail.spotlight.firstRunDone": True,
    "mail.shell.checkDefaultClient": False,
    "mail.rights.version": 1,
    "mailnews.start_page.enabled": False,
    "mailnews.start_page_override.mstone": "ignore",
    "browser.warnOnQuit": False,
    "signon.rememberSignons": True,
    "ui.prefersReducedMotion": 1,
    # The calendar: one zone whatever the machine has, no windows of alarms.
    "calendar.timezone.local": "Europe/Berlin",
    "calendar.timezone.useSystemTimezone": False,
    "calendar.alarms.show": False,
    "calendar.alarms.playsound": False,
    "calendar.week.start": 1,
    "calendar.view.daystarthour": 8,
    "calendar.view.dayendhour": 18,
    "calendar.view.visiblehours": 10,
    "calendar.item.editInTab": False,
    "calendar.network.multirealm": False,
}


@contextlib.contextmanager
def display(folder: Path) -> Iterator[str]:
    """An X server without a screen, under a number that it picks.

    Returns:
        What DISPLAY is to say.
    """
    reading, writing = os.pipe()
    with (folder / "xvfb.log").open("w") as log:
        process = subprocess.Popen(
            [
                tool("Xvfb", "xvfb"),
                "-displayfd",
                str(writing),
                "-screen",
                "0",
                f"{SIZE}x24",
                "-nolisten",
                "tcp",
            ],
            pass_fds=(writing,),
            stderr=log,
        )
    os.close(writing)
    try:
        with os.fdopen(reading) as told:
            number = told.readline().strip()
        check(number, f"no display: {(folder / 'xvfb.log').read_text()}")
        yield f":{number}"
    finally:
        _end(process)


@contextlib.contextmanager
def thunderbird(folder: Path, shown_on: str) -> Iterator[Marionette]:
    """A Thunderbird with a fresh profile, ready to be told what to do."""
    profile = folder / "profile"
    profile.mkdir(parents=True)
    (profile / "user.js").write_text(
        "".join(f"user_pref({json.dumps(name)}, {json.dumps(value)});\n" for name, value in PREFS.items())
    )
    words = ["--profile", str(profile), "--no-remote", "--marionette", "--remote-allow-system-access"]
    environ = os.environ | {"DISPLAY": shown_on, "HOME": str(folder), "LANG": "C.UTF-8", "NO_AT_BRIDGE": "1"}
    environ |= {"MOZ_ENABLE_WAYLAND": "0", "GDK_BACKEND": "x11", "MOZ_CRASHREPORTER_DISABLE": "1"}
    with (folder / "thunderbird.log").open("w") as log:
        process = subprocess.Popen(
            [tool("thunderbird", "thunderbird"), *words], env=environ, stdout=log, stderr=log
        )
    try:
        client = Marionette(port_of(profile))
        try:
            yield client
        finally:
            client.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(20)
    finally:
        _end(process)


def _end(process: subprocess.Popen[Any]) -> None:
    if process.poll() is None:
        process.terminate()
    try:
        process.wait(30)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(30)
