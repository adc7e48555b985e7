// What the drive has Thunderbird do, with Thunderbird's own calendar code. Runs in its main window with its rights.
const { cal } = ChromeUtils.importESModule("resource:///modules/calendar/calUtils.sys.mjs");
const { CalEvent } = ChromeUtils.importESModule("resource:///modules/CalEvent.sys.mjs");
const { CalTodo } = ChromeUtils.importESModule("resource:///modules/CalTodo.sys.mjs");

const calendarAt = uri => cal.manager.getCalendars().find(one => one.uri.spec == uri);
const inZone = (time, zone) => (time && !time.isDate ? time.getInTimezone(cal.timezoneService.getTimezone(zone)) : time);
const said = (time, zone) => (time ? inZone(time, zone).icalString : null);

/** An instance as a view has it, which is not what getOccurrenceFor makes of an instant in UTC. */
function instanceAt(item, instant) {
  const end = instant.clone();
  end.day += 40;
  return item.recurrenceInfo.getOccurrences(instant, end, 0).find(one => one.recurrenceId.compare(instant) == 0);
}

/** Wait until a calendar has told that it is loaded. */
function loaded(calendar, act) {
  return new Promise((resolve, reject) => {
    const observer = {
      QueryInterface: ChromeUtils.generateQI(["calIObserver"]),
      onStartBatch() {},
      onEndBatch() {},
      onAddItem() {},
      onModifyItem() {},
      onDeleteItem() {},
      onPropertyChanged() {},
      onPropertyDeleting() {},
      onLoad() {
        calendar.removeObserver(observer);
        resolve();
      },
      onError(_, number, message) {
        calendar.removeObserver(observer);
        reject(new Error(`${calendar.name}: ${number} ${message}`));
      },
    };
    calendar.addObserver(observer);
    act();
  });
}

const acts = {
  /**
   * What "New calendar, on the network" does with a name, a password and a location. Of the kinds that it offers for the
   * address of a single calendar, CalDAV or a file that is read whole, the first is taken.
   */
  async detect(user, password, location) {
    const found = await cal.provider.detection.detect(user, password, location, true, [], {});
    const told = [];
    for (const [provider, calendars] of found) {
      for (const calendar of provider.type == "caldav" ? calendars : []) {
        calendar.setProperty("cache.enabled", true);
        await loaded(cal.manager.registerCalendar(calendar) ?? calendarAt(calendar.uri.spec), () => {});
        told.push({
          provider: provider.type,
          name: calendar.name,
          uri: calendar.uri.spec,
          color: calendar.getProperty("color"),
          readOnly: calendar.readOnly,
        });
      }
    }
    return told;
  },

  /** What the server said that this calendar can, as Thunderbird understood it. */
  async understood(uri) {
    const inner = calendarAt(uri).wrappedJSObject.mUncachedCalendar.wrappedJSObject;
    return {
      addresses: inner.calendarUserAddresses,
      inbox: inner.inboxUrl?.spec,
      outbox: inner.outboxUrl?.spec,
      principal: inner.principalUrl?.spec,
      autoSchedule: inner.hasAutoScheduling,
      freeBusy: inner.hasFreeBusy,
      sync: inner.mHasWebdavSyncSupport,
      token: inner.mWebdavSyncToken,
      kinds: inner.supportedItemTypes,
      organizer: calendarAt(uri).getProperty("organizerId"),
    };
  },

  /** Ask the server anew, as the button Synchronize does. */
  async refresh(uri) {
    const calendar = calendarAt(uri);
    await loaded(calendar, () => calendar.refresh());
  },

  /** What a view shows: instances in a range, or tasks. */
  async items(uri, kind, start, end, zone) {
    const filter =
      Ci.calICalendar[kind == "VTODO" ? "ITEM_FILTER_TYPE_TODO" : "ITEM_FILTER_TYPE_EVENT"] |
      Ci.calICalendar.ITEM_FILTER_COMPLETED_ALL |
      Ci.calICalendar.ITEM_FILTER_CLASS_OCCURRENCES;
    const time = text => (text ? cal.createDateTime(text) : null);
    const items = await calendarAt(uri).getItemsAsArray(filter, 0, time(start), time(end));
    return items
      .map(item => ({
        uid: item.id,
        title: item.title,
        start: said(item.startDate ?? item.entryDate, zone),
        end: said(item.endDate ?? item.dueDate, zone),
        place: item.getProperty("LOCATION"),
        status: item.status,
        alarms: item.getAlarms().length,
        done: item.isCompleted ?? null,
        attendees: item.getAttendees().map(who => [who.id, who.participationStatus]),
      }))
      .sort((one, other) => (one.start + one.title < other.start + other.title ? -1 : 1));
  },

  /** Book a component given as iCalendar. */
  async add(uri, text) {
    const Kind = text.includes("BEGIN:VTODO") ? CalTodo : CalEvent;
    const item = new Kind(text);
    const calendar = calendarAt(uri);
    item.calendar = calendar;
    return (await calendar.addItem(item)).id;
  },

  /** Change an item, or the instance of it that its rule puts at an instant (UTC, as iCalendar). */
  async change(uri, uid, values, instance) {
    const calendar = calendarAt(uri);
    const parent = await calendar.getItem(uid);
    const old = instance ? instanceAt(parent, cal.createDateTime(instance)) : parent;
    const item = old.clone();
    const shifted = item.startDate && values.minutes ? item.startDate.clone() : null;
    if (shifted) {
      const length = item.endDate.subtractDate(item.startDate);
      shifted.minute += values.minutes;
      const end = shifted.clone();
      end.addDuration(length);
      item.startDate = shifted;
      item.endDate = end;
    }
    if (values.title) {
      item.title = values.title;
    }
    if (values.completed) {
      item.isCompleted = true;
    }
    for (const [name, value] of Object.entries(values.properties ?? {})) {
      item.setProperty(name, value);
    }
    for (const [who, status] of Object.entries(values.answers ?? {})) {
      const attendee = item.getAttendeeById(who).clone();
      item.removeAttendee(item.getAttendeeById(who));
      attendee.participationStatus = status;
      item.addAttendee(attendee);
    }
    await calendar.modifyItem(item, old);
  },

  /** Change an item that somebody else changed meanwhile, and answer when Thunderbird asks whose change stays. */
  async answer(uri, uid, values, overwrite) {
    let asked = 0;
    const watcher = opened =>
      opened.addEventListener(
        "load",
        () => {
          if (opened.location.href.endsWith("calendar-conflicts-dialog.xhtml")) {
            asked++;
            const dialog = opened.document.querySelector("dialog");
            opened.setTimeout(() => (overwrite ? dialog.acceptDialog() : dialog.cancelDialog()), 100);
          }
        },
        { once: true }
      );
    Services.obs.addObserver(watcher, "domwindowopened");
    try {
      await acts.change(uri, uid, values);
    } finally {
      Services.obs.removeObserver(watcher, "domwindowopened");
    }
    return asked;
  },

  async remove(uri, uid) {
    const calendar = calendarAt(uri);
    await calendar.deleteItem(await calendar.getItem(uid));
  },

  /** Dismiss an item's alarm, as the button in the alarm window does. */
  async dismiss(uri, uid) {
    const item = await calendarAt(uri).getItem(uid);
    await Cc["@mozilla.org/calendar/alarm-service;1"]
      .getService(Ci.calIAlarmService)
      .wrappedJSObject.dismissAlarm(item, item.getAlarms()[0]);
  },

  /** When somebody is busy, as the invitation window asks. */
  async busy(who, start, end) {
    const intervals = await new Promise(resolve =>
      cal.freeBusyService.getFreeBusyIntervals(
        who,
        cal.createDateTime(start),
        cal.createDateTime(end),
        Ci.calIFreeBusyInterval.BUSY_ALL,
        {
          got: [],
          onResult(operation, found) {
            this.got.push(...(found ?? []));
            if (!operation || !operation.isPending) {
              resolve(this.got);
            }
          },
        }
      )
    );
    return intervals.map(one => [one.freeBusyType, one.interval.start.icalString, one.interval.end.icalString]);
  },

  /** Show the calendar of a day in one of the views. */
  async show(view, day) {
    const tabmail = document.getElementById("tabmail");
    if (tabmail.currentTabInfo.mode.name != "calendar") {
      gSpacesToolbar.openSpace(tabmail, gSpacesToolbar.spaces.find(space => space.name == "calendar"));
    }
    await new Promise(resolve => setTimeout(resolve, 1500));
    window.moveTo(0, 0);
    window.resizeTo(screen.width, screen.height);
    if (!document.getElementById("bottom-events-box").hidden) {
      toggleUnifinder();
    }
    const pane = document.getElementById("today-pane-panel");
    pane.setVisible(false);
    for (const calendar of cal.manager.getCalendars().filter(one => one.type == "storage")) {
      cal.manager.unregisterCalendar(calendar);
    }
    switchCalendarView(view, true);
    currentView().goToDay(cal.createDateTime(day));
    await new Promise(resolve => setTimeout(resolve, 2500));
    return document.getElementById("tabmail").currentTabInfo.mode.name;
  },

  /** What the calendar code complained of in the console. */
  async complaints() {
    const storage = Cc["@mozilla.org/consoleAPI-storage;1"].getService(Ci.nsIConsoleAPIStorage);
    const told = storage
      .getEvents()
      .filter(event => event.prefix == "calendar" && ["warn", "error"].includes(event.level))
      .map(event => event.arguments.map(String).join(" "));
    const errors = Services.console
      .getMessageArray()
      .filter(one => one instanceof Ci.nsIScriptError && !(one.flags & Ci.nsIScriptError.warningFlag))
      .map(one => `${one.sourceName}:${one.lineNumber} ${one.errorMessage}`)
      .filter(text => /caldav|calendar/i.test(text));
    return [...told, ...errors];
  },
};

return acts[arguments[0]](...Array.prototype.slice.call(arguments, 1));
