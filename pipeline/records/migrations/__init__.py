"""Revisions, oldest first. Each only goes forward."""
