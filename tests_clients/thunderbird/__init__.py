"""Thunderbird, with its own calendar code, told over Marionette what to do."""
