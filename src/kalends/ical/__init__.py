"""iCalendar text <-> tree, value types, time zones, recurrence: a leaf room (RFC 5545, RFC 6868)."""
