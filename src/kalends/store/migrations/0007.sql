-- Whom the VCARs and VAGENDAs of calendars name (GRANT, OWNER), in lower case: what is shared with somebody is found by
-- their name and not by reading the rights of every calendar. Tokens: see 0001.sql.
create table grantee (
  upn {text} not null,
  object_id bigint not null references object (id) on delete cascade,
  primary key (upn, object_id)) {cluster};
create index grantee_object on grantee (object_id);
insert into grantee (upn, object_id)
  select distinct coalesce(v.folded, v.value), k.object_id from component k join cell v on v.component_id = k.id
   where (k.kind = 'VRIGHT' and v.name = 'GRANT') or (k.kind = 'VAGENDA' and v.name = 'OWNER');
-- Whether its principal has left a calendar that others share with them.
alter table mount add column hidden integer not null default 0;
