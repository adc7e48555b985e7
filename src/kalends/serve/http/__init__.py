"""HTTP/1.1 for the server: one connection class over httptools, its limits, bodies, answers."""
