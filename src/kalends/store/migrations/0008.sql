-- Secret links to calendars, and managed attachments (RFC 8607). Tokens: see 0001.sql.
create table link (                      -- who knows the secret sees the calendar, without a name
  id {id},
  calendar_id bigint not null references calendar (id),
  hash {text} not null unique,           -- of the secret, which nobody can tell again
  preset {text} not null check (preset in ('busy', 'titles', 'read')),
  label {text} not null,
  created_at bigint not null, created_by bigint);
create index link_calendar on link (calendar_id);

create table content (                   -- the octets of attachments, equal ones once
  hash {text} primary key,               -- SHA-256, lower-case hex
  size integer not null, octets {octets} not null);
create table attachment (
  managed_id {text} primary key,
  hash {text} not null references content (hash),
  filename {text} not null, media {text} not null,
  created_at bigint not null, created_by bigint,
  unused_since bigint);                  -- when nothing referred to it any more, as far as known: the past may still
create index attachment_hash on attachment (hash);
create table attached (                  -- derived from object.ics, as component and cell are: who refers to what
  managed_id {text} not null, object_id bigint not null references object (id) on delete cascade,
  primary key (managed_id, object_id)) {cluster};
create index attached_object on attached (object_id);
