"""Runs under Debian's Python inside a D-Bus session of its own: GNOME's evolution-data-server as an app drives it.

For every line it reads it takes a step and prints what it saw as JSON, so that the store can be looked at between
the steps. Arguments: host, port, user, password.
"""

import json
import sys
import time

import gi

gi.require_version("EDataServer", "1.2")
gi.require_version("ECal", "2.0")
gi.require_version("ICalGLib", "3.0")
from gi.repository import ECal, EDataServer, ICalGLib  # noqa: E402

host, port, user, password = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4]
EVENT = """BEGIN:VEVENT
UID:evolution-1@example.com
DTSTAMP:20260901T080000Z
DTSTART:20260909T090000Z
DTEND:20260909T100000Z
SUMMARY:Made by Evolution
END:VEVENT
"""


def told(**seen):
    print(json.dumps(seen), flush=True)
    if not sys.stdin.readline():
        sys.exit("nobody listens")


def source_of(path):
    """An account's calendar, as GNOME's settings write it."""
    source = EDataServer.Source.new(None, None)
    source.set_display_name("Kalends")
    source.set_parent("caldav-stub")
    source.get_extension(EDataServer.SOURCE_EXTENSION_CALENDAR).set_backend_name("caldav")
    login = source.get_extension(EDataServer.SOURCE_EXTENSION_AUTHENTICATION)
    login.set_host(host)
    login.set_port(port)
    login.set_user(user)
    login.set_method("plain/password")
    source.get_extension(EDataServer.SOURCE_EXTENSION_SECURITY).set_method("none")
    source.get_extension(EDataServer.SOURCE_EXTENSION_WEBDAV_BACKEND).set_resource_path(path)
    return source


def summaries(client, until):
    """The calendar's summaries by UID, asked for until a condition holds or 20 seconds went by."""
    end = time.monotonic() + 20
    while True:
        client.refresh_sync(None)
        time.sleep(0.5)
        _, found = client.get_object_list_as_comps_sync("#t", None)
        seen = {one.get_uid(): one.get_summary().get_value() for one in found}
        if until(seen) or time.monotonic() > end:
            return seen


sys.stdin.readline()
registry = EDataServer.SourceRegistry.new_sync(None)
secret = EDataServer.NamedParameters.new()
secret.set("username", user)
secret.set("password", password)
every = EDataServer.WebDAVDiscoverSupports.EVENTS | EDataServer.WebDAVDiscoverSupports.TASKS
_, _, _, found, addresses = EDataServer.webdav_discover_sources_sync(
    source_of("/"), f"http://{host}:{port}/", every, secret, None
)
told(found=sorted([one.href, one.display_name] for one in found), addresses=addresses)

source = source_of("/dav/calendars/amira/calendar/")
source.store_password_sync(password, True, None)
registry.commit_source_sync(source, None)
client = ECal.Client.connect_sync(
    registry.ref_source(source.get_uid()), ECal.ClientSourceType.EVENTS, 30, None
)
told(readonly=client.is_readonly(), seen=summaries(client, lambda seen: "cap-1@example.com" in seen))

client.create_object_sync(ICalGLib.Component.new_from_string(EVENT), 0, None)
told()
_, event = client.get_object_sync("evolution-1@example.com", None, None)
event.set_summary("Changed by Evolution")
client.modify_object_sync(event, ECal.ObjModType.ALL, 0, None)
told()
told(seen=summaries(client, lambda seen: seen.get("cap-1@example.com") == "Talk, moved"))
told(seen=summaries(client, lambda seen: "cap-1@example.com" not in seen))
client.remove_object_sync("evolution-1@example.com", None, ECal.ObjModType.ALL, 0, None)
told()
