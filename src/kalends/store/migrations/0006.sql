-- Whether something in a calendar may say TRANSP:…-NOCONFLICT. Where nothing does and overlaps are allowed (the common
-- case) a write need not look for double bookings. Like `longest` it is raised by the index and lowered by a reindex.
alter table calendar add column exclusive integer not null default 0;
update calendar set exclusive = 1 where exists (
  select 1 from component c join cell v on v.component_id = c.id
   where c.calendar_id = calendar.id and v.name = 'TRANSP' and coalesce(v.folded, v.value) like '%-noconflict');
