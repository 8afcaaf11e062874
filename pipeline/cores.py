"""What a process's memory may become. No core dumps: a picture, a key or a name in it does not land on a disk when it ends badly.
And no more of it than is allowed."""

from __future__ import annotations

import resource

ALMOST_NONE = 1
"""Bytes. Not 0: a kernel that pipes core dumps to a program (systemd-coredump, apport) minds no limit but this value, which it
takes for "never" (fs/coredump.c); and no file of one byte is written either."""


def forbid_core_dumps() -> None:
    """For this process and all that it starts, for good: the hard limit is lowered too."""
    _, hard = resource.getrlimit(resource.RLIMIT_CORE)
    limit = ALMOST_NONE if hard == resource.RLIM_INFINITY else min(hard, ALMOST_NONE)
    resource.setrlimit(resource.RLIMIT_CORE, (limit, limit))


def bound_memory(most: int) -> None:
    """This process may hold so many bytes of its own (what it shares with others, and mapped files, do not count). Past that an
    allocation fails, and with it one attempt at one support, before the system ends whom it likes."""
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))
