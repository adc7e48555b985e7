-- What objects were before they changed: the past that can be shown and brought back. Tokens: see 0001.sql.
-- A row goes with the row of `change` of the same calendar, tick and object. One that begins an object's life has
-- none: nothing was there before. Texts are big, so that listing changes reads them only when they are shown, and on
-- SQLite they do not lie in the key's b-tree.
create table history (
  calendar_id bigint not null references calendar (id),
  object_id bigint not null,             -- no foreign key: the past outlives the object
  tick bigint not null,
  at bigint not null,                    -- as in `change`: retention counts from here
  undoes bigint,                         -- this change takes back the change of that tick, of the same object
  other_id bigint, other_tick bigint,    -- the calendar it came from (then nothing was here) or went to; its tick then
  name {text}, uid {text}, kind {text}, state {text}, method {text}, schedule_tag {text},
  ics {octets},                          -- all of these: as it was before; null when nothing was here
  primary key (calendar_id, object_id, tick));
create index history_at on history (at);
create index object_deleted on object (calendar_id, changed_at) where state = 'DELETED';
