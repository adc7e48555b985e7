-- How many mails somebody caused in which hour: what bounds them (docs/mail.md). Tokens: see 0001.sql.
create table mail_use (
  who {text} not null,                   -- UPN of whose mails they are
  hour bigint not null,                  -- seconds since 1970 UTC / 3600
  mails integer not null,
  primary key (who, hour)) {cluster};
