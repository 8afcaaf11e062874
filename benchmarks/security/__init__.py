"""Hostile input against what stands at the doors: `make security` runs the long forms, the tests the short ones."""
