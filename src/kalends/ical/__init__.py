"""iCalendar text <-> tree, value types, time zones, recurrence (RFC 5545, RFC 6868). A leaf: no I/O, no clock."""
