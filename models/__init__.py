"""Weights, thresholds and where they come from.

`registry` names and checks what is installed, `prepare` makes it ready (`make weights`), `fold` rewrites graphs.
Training, evaluation and specimens each have a room of their own.
"""
