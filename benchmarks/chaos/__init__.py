"""Tries to break the promise that nothing is lost: real servers, faults, a client that keeps a history, a checker of its own."""
