-- One text for SQLite (>= 3.35) and PostgreSQL (>= 13). What differs is a token:
--   {id}       the key of a table of its own: `integer primary key` IS the rowid on SQLite (a `bigint primary key`
--              would be a second b-tree there), `bigint primary key` on PostgreSQL
--   {text}     text that compares by octets on both: PostgreSQL needs collate "C" for that
--   {octets}   blob or bytea
--   {cluster}  `without rowid` on SQLite: the row lives in its key's b-tree
-- and lines that start with "--postgres " are for PostgreSQL only.
-- Ids: 63-bit integers made by the program (time-ordered, see ids.py): no sequences, the same on every engine.
-- Times: integer seconds since 1970 UTC. Booleans: 0/1.
-- `meta` (key, value) exists before the first migration: it says which migrations have run.

-- who ---------------------------------------------------------------------------------------------------
create table principal (                 -- a CU, a group (UG), a room, a resource
  id {id},
  upn {text} not null unique,            -- user@realm; '@' (anonymous) is not a row
  kind {text} not null check (kind in ('user', 'group', 'room', 'resource')),
  name {text} not null,
  secret {text},                         -- SCRAM verifier, never a password
  tz {text}, locale {text},
  admin integer not null default 0,
  default_calendar bigint,
  created_at bigint not null);
create table address (uri {text} primary key, principal_id bigint not null references principal (id)) {cluster};
create index address_principal on address (principal_id);
create table member (
  group_id bigint not null references principal (id), member_id bigint not null references principal (id),
  primary key (group_id, member_id)) {cluster};
create index member_member on member (member_id);
create table token (                     -- application passwords, web sessions
  hash {text} primary key, principal_id bigint not null references principal (id), label {text} not null,
  scope {text} not null, created_at bigint not null, used_at bigint) {cluster};
create index token_principal on token (principal_id);

-- containers --------------------------------------------------------------------------------------------
create table calendar (                  -- one row a VAGENDA, and row 0 = the VCALSTORE itself
  id {id},
  calid {text} not null unique,          -- relative CALID; '' for the VCALSTORE
  home_id bigint references principal (id),
  slug {text},                           -- last segment of the path under the home, for DAV
  tick bigint not null default 0,        -- THE counter: lock, CTag, sync token, order of the change log
  floor_tick bigint not null default 0,  -- oldest tick a sync token may name
  rights_tick bigint not null default 0, -- last change of a VCAR: the key of a cache of parsed rights
  longest bigint not null default 86400, -- no instance is longer: bounds the interval scan
  allow_conflict integer not null default 1,
  auto_process integer not null default 1,
  unique (home_id, slug));
create table mount (                     -- someone else's calendar in my CalDAV home: my own colour and order
  principal_id bigint not null references principal (id), calendar_id bigint not null references calendar (id),
  slug {text} not null, props {text} not null default '',
  primary key (principal_id, calendar_id), unique (principal_id, slug)) {cluster};
create index mount_calendar on mount (calendar_id);

-- objects: the truth ------------------------------------------------------------------------------------
create table object (                    -- one self-contained VCALENDAR; also VCAR, VQUERY, VTIMEZONE and a calendar's own properties
  id {id},
  calendar_id bigint not null references calendar (id),
  name {text} not null,                  -- last segment of the path in DAV
  uid {text} not null,                   -- UID, CARID, QUERYID, TZID or CALID
  kind {text} not null,                  -- VEVENT VTODO VJOURNAL VCAR VQUERY VTIMEZONE VAGENDA VCALSTORE X-…
  state {text} not null check (state in ('BOOKED', 'UNPROCESSED', 'DELETED')),
  method {text},                         -- with UNPROCESSED only
  ics {octets} not null,                 -- octets, not text: a fold may cut a UTF-8 sequence, and what came is kept
  etag {text} not null, schedule_tag {text},
  size integer not null,
  first_at bigint, last_at bigint,       -- outer span; last_at null = without end (or without time: first_at null)
  expanded_to bigint,                    -- instance rows are complete before here; null = all of them are there
  tick bigint not null, created_at bigint not null, changed_at bigint not null, changed_by bigint);
create unique index object_booked on object (calendar_id, kind, uid) where state = 'BOOKED';
-- A DELETED object is invisible to DAV, so its name is free again; the inbox (UNPROCESSED) is another collection.
create unique index object_name on object (calendar_id, state, name) where state <> 'DELETED';
-- uid first: a UID may be looked for everywhere. The calendar makes it the best index for one calendar, too: without
-- statistics SQLite would else take the one over (calendar_id, tick) and read the whole calendar.
create index object_uid on object (uid, calendar_id);
create index object_tick on object (calendar_id, tick);
create index object_open on object (calendar_id, expanded_to) where expanded_to is not null;

-- derived rows: an index over object.ics, always rebuildable (kalends reindex) --------------------------
create table component (                 -- every component that CAL-QUERY can name, nested ones too
  id {id},
  object_id bigint not null references object (id) on delete cascade,
  calendar_id bigint not null,
  parent_id bigint,                      -- null for the components directly inside VCALENDAR
  kind {text} not null,
  pos integer not null,                  -- its place in a depth-first walk of the text
  recurrence_at bigint,                  -- RECURRENCE-ID of an overriding component
  start_at bigint, end_at bigint);       -- num of its own DTSTART and DTEND (or DUE) cells: calquery.cells.span; a
                                         -- range of dates is searched here, not through the cells of a whole calendar
create index component_object on component (object_id);
create index component_kind on component (calendar_id, kind, start_at, end_at);
create index component_parent on component (parent_id) where parent_id is not null;
create table cell (                      -- one row a property value and a parameter value ('ATTENDEE;PARTSTAT')
  component_id bigint not null references component (id) on delete cascade,
  name {text} not null,
  pos integer not null, k integer not null, -- pos: which property; k: which of its values
  value {text} not null,
  folded {text},                         -- casefolded, when that differs from value
  num bigint,                            -- integer, epoch or seconds, when the type is numeric
  origin integer not null default 0,     -- 0 written, 1 default of a parameter, 2 derived (DTEND from DURATION, …)
  primary key (component_id, name, pos, k)) {cluster};
--postgres create index cell_value on cell (name, left(value, 100));
create table instance (                  -- occurrences of anything that happens in time, alarms included
  calendar_id bigint not null,
  start_at bigint not null,
  component_id bigint not null references component (id) on delete cascade,
  recurrence_at bigint not null,
  end_at bigint not null,
  floating integer not null default 0,   -- 1: seconds as if UTC, to be compared with local time
  busy {text} not null,                  -- BUSY BUSY-TENTATIVE BUSY-UNAVAILABLE FREE BUSY-NOCONFLICT FREE-NOCONFLICT ALARM
  primary key (calendar_id, start_at, component_id, recurrence_at)) {cluster};
create index instance_component on instance (component_id);

-- what happened, what is to be done ---------------------------------------------------------------------
-- What objects were before each change is in `history` (0002.sql), beside this log and not in it: listing changes
-- never drags old texts along.
create table change (                    -- append-only; the one source of sync tokens, pushes and audit
  calendar_id bigint not null references calendar (id),
  tick bigint not null,
  object_id bigint not null,             -- no foreign key: the log outlives the object
  name {text} not null, uid {text} not null, kind {text} not null,
  op {text} not null,                    -- put, state, move-in, move-out, remove, props, rights
  actor bigint,
  via {text} not null,                   -- cap, dav, imip, web, cli, job
  at bigint not null,
  primary key (calendar_id, tick, object_id)) {cluster};
create index change_object on change (calendar_id, object_id, tick);
create table job (                       -- outbox: iTIP delivery, mail, horizon, purge; at least once, idempotent by key
  id {id}, key {text} not null unique, kind {text} not null, due_at bigint not null,
  payload {text} not null, attempts integer not null default 0, held_until bigint, last_error {text});
create index job_due on job (due_at);

insert into calendar (id, calid) values (0, '');
