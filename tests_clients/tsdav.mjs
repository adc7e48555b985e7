// tsdav against the server named by its arguments: URL, user, password. Prints JSON: what it saw at each step.
import { DAVClient } from "tsdav";

const [serverUrl, username, password] = process.argv.slice(2);
const saw = {};
const need = (answer, step) => {
  if (!answer.ok) throw new Error(`${step}: ${answer.status} ${answer.statusText}`);
  return answer.status;
};
const event = (uid, summary) =>
  [
    "BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//tests//tsdav//EN", "BEGIN:VEVENT", `UID:${uid}`,
    "DTSTAMP:20260901T080000Z", "DTSTART:20260907T090000Z", "DTEND:20260907T100000Z", `SUMMARY:${summary}`,
    "X-TSDAV:kept as sent", "END:VEVENT", "END:VCALENDAR", "",
  ].join("\r\n");

const client = new DAVClient({
  serverUrl,
  credentials: { username, password },
  authMethod: "Basic",
  defaultAccountType: "caldav",
});
await client.login();
const root = client.account;
saw.principal = root.principalUrl;
saw.home = root.homeUrl;
saw.addresses = await client.fetchCalendarUserAddresses({ account: root });
saw.before = (await client.fetchCalendars()).map((one) => [one.displayName, one.url, one.components]);

const url = new URL("tsdav-made/", root.homeUrl).href;
await client.makeCalendar({
  url,
  props: { displayname: "Made by tsdav", "c:calendar-description": "a description" },
});
let calendar = (await client.fetchCalendars()).find((one) => one.url === url);
saw.made = [calendar.displayName, calendar.description];
saw.reports = await client.supportedReportSet({ collection: calendar });

saw.created = need(
  await client.createCalendarObject({ calendar, filename: "one.ics", iCalString: event("one@tsdav", "One") }),
  "create",
);
need(
  await client.createCalendarObject({ calendar, filename: "two & 2.ics", iCalString: event("two@tsdav", "Two") }),
  "create two",
);
let objects = await client.fetchCalendarObjects({ calendar });
saw.fetched = objects.map((one) => [one.url, one.data.includes("X-TSDAV:kept as sent")]);
const range = (start, end) => ({ start: `${start}T00:00:00.000Z`, end: `${end}T00:00:00.000Z` });
saw.inRange = (await client.fetchCalendarObjects({ calendar, timeRange: range("2026-09-07", "2026-09-08") })).length;
saw.outOfRange = (await client.fetchCalendarObjects({ calendar, timeRange: range("2026-10-07", "2026-10-08") })).length;

calendar = (await client.fetchCalendars()).find((one) => one.url === url);
const collection = { ...calendar, objects, objectMultiGet: client.calendarMultiGet.bind(client) };
const synced = await client.smartCollectionSyncDetailed({ collection, method: "webdav", account: root });
saw.unchanged = Object.values(synced.objects).map((list) => list.length);

const one = objects.find((object) => object.url.endsWith("one.ics"));
saw.updated = need(
  await client.updateCalendarObject({ calendarObject: { ...one, data: event("one@tsdav", "One, changed") } }),
  "update",
);
saw.stale = (await client.updateCalendarObject({ calendarObject: { ...one, data: event("one@tsdav", "Stale") } })).status;
const two = objects.find((object) => !object.url.endsWith("one.ics"));
saw.deleted = need(await client.deleteCalendarObject({ calendarObject: two }), "delete");
need(
  await client.createCalendarObject({ calendar, filename: "three.ics", iCalString: event("three@tsdav", "Three") }),
  "create three",
);
const after = await client.smartCollectionSyncDetailed({ collection, method: "webdav", account: root });
saw.synced = Object.fromEntries(
  Object.entries(after.objects).map(([what, list]) => [what, list.map((object) => object.url.split("/").pop())]),
);
saw.busy = (await client.freeBusyQuery({ url, timeRange: range("2026-09-07", "2026-09-08"), depth: "1" })) ?? null;
console.log(JSON.stringify(saw));
