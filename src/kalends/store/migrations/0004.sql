-- When somebody is there at all, for free/busy questions (RFC 7953). Tokens: see 0001.sql.
alter table principal add column availability {octets};
