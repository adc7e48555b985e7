"""The query tree: CAL-QUERY text to tree, in-memory match, projection (RFC 4324 §6.1.1)."""
