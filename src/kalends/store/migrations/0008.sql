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
-- Which objects refer to an attachment stands in `cell` already; this finds it there.
create index cell_managed on cell (value) where name = 'ATTACH;MANAGED-ID';
