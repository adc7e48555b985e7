-- Who is who, for every face: names in paths, who may act as whom, which certificate is whose. Tokens: see 0001.sql.

-- The name of a principal in paths: stable, and of characters that no client encodes in two ways. What was there
-- before gets the part of its UPN before the @, the eldest first; rtrim leaves that part and the @.
alter table principal add column slug {text};
update principal set slug = replace(rtrim(upn, replace(upn, '@', '')), '@', '');
update principal set slug = upn where exists (
  select 1 from principal as other where other.slug = principal.slug and other.id < principal.id);
create unique index principal_slug on principal (slug);

create unique index token_label on token (principal_id, label);
create table acting (                    -- IDENTIFY and SASL authzid: a user, or a group's members, may act as others
  principal_id bigint not null references principal (id),
  as_whom {text} not null,               -- a UPN-FILTER (RFC 4324 section 6.1.3)
  primary key (principal_id, as_whom)) {cluster};
create table certificate (               -- whose a client certificate is that names nobody in a field of its own
  fingerprint {text} primary key,        -- SHA-256 of the certificate, lower-case hex
  principal_id bigint not null references principal (id), label {text} not null, created_at bigint not null) {cluster};
create index certificate_principal on certificate (principal_id);
alter table change add column behind bigint; -- who had logged in, when the actor was somebody else (IDENTIFY)
