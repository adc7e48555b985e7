"""All SQL: schema, SQLite, PostgreSQL, index (text -> rows), search (tree -> SQL), changes, migrations."""
