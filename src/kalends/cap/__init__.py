"""The CAP profile (RFC 4324) without I/O: messages, commands, replies, and the session that orders them."""
