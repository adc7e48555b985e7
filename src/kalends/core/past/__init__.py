"""What was: the history of calendars, what changed, taking back, the trash, forgetting."""
