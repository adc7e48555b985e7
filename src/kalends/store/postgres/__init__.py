"""The store on PostgreSQL: several servers on one database."""
