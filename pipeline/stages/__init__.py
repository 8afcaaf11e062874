"""The steps of `examine()`: each takes pixels and gives a piece of evidence. Synchronous, no I/O, no state."""
