"""What may not happen at the same time, and how that is found out (RFC 4324 §8.1, §8.36)."""
