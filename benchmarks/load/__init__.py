"""Load from outside: supports that arrive whatever the service does, and what became of them."""
