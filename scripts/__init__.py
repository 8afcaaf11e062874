"""Lints and chores of the repository; none of it is installed."""
