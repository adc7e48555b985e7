-- Whom calendars show themselves to: their OWNERs, and whoever a VCAR may let see a calendar's own properties. So the
-- list of somebody's calendars costs what it holds and not a look at all calendars. Derived from cells by the statement
-- below, which is that of store/reach.py; whether a row's VCAR really shows something is asked when it is found. Tokens:
-- see 0001.sql. It takes the place of 0007's grantee, which held names only, of rights to anything.
drop table grantee;
create table reach (
  who {text} not null,                   -- a UPN, or another UPN-FILTER without blanks, in lower case
  object_id bigint not null references object (id) on delete cascade, -- the VAGENDA or the VCAR that names them
  primary key (who, object_id)) {cluster};
create index reach_object on reach (object_id);
insert into reach (who, object_id)
select distinct replace(coalesce(g.folded, g.value), ' ', ''), o.id
  from object o join component k on k.object_id = o.id join cell g on g.component_id = k.id
 where length(replace(coalesce(g.folded, g.value), ' ', '')) <= 256
   and ((o.kind = 'VAGENDA' and k.kind = 'VAGENDA' and g.name = 'OWNER')
    or (o.kind = 'VCAR' and k.kind = 'VRIGHT' and g.name = 'GRANT'
        and replace(coalesce(g.folded, g.value), ' ', '') <> 'cal-owners()'
        and exists (select 1 from cell p where p.component_id = k.id and p.name = 'PERMISSION'
                       and coalesce(p.folded, p.value) in ('*', 'search'))
        and (not exists (select 1 from cell s where s.component_id = k.id and s.name = 'SCOPE')
             or exists (select 1 from cell s where s.component_id = k.id and s.name = 'SCOPE'
                           and replace(coalesce(s.folded, s.value), 'vagenda', '') <> coalesce(s.folded, s.value)))));
