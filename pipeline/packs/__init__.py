"""Evidence packs: one signed file a support, from which anyone can judge it again. Made for the hearing that contests it."""

SUFFIX = ".apoyo"
"""Of a pack's file name."""
