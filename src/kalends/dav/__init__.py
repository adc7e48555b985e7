"""CalDAV, sans-IO: a request and a transaction go in, a response comes out; no socket, no clock."""
