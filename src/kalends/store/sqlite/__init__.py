"""The store on SQLite: one file, one thread that writes, readers beside it."""
