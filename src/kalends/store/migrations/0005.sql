-- Dead properties of WebDAV (RFC 4918 §4): what a client keeps at an object, a home, a principal, an inbox. Those of
-- a calendar stand in its VAGENDA instead, where CAP sees them and the past covers them. Tokens: see 0001.sql.
create table property (
  holder bigint not null,                -- id of an object or a principal: ids are distinct over all tables
  part {text} not null default '',       -- '' for the resource itself; of a principal also home, inbox, outbox
  name {text} not null,                  -- '{namespace}local'
  value {text} not null,                 -- the element as XML, under the prefixes that every answer declares
  primary key (holder, part, name)) {cluster};
