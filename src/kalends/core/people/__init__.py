"""Who there is: users, groups, rooms, how they prove it, and as whom they act (RFC 4324 §4.1)."""
