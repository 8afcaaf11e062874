"""Specimens: invented citizens, their drawn credentials (always marked MUESTRA), and captures as a phone takes them.

Everything is seeded: the same seed gives the same bytes. Nothing here is INE's art, and no real credential is used.
"""
