"""The same captures through every way to run them must give the same answers."""
