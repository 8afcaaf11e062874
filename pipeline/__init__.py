"""The verification pipeline: from four images to a verdict and its evidence.

Read `verify.py` (the job), `worker.py` (how a support gets to it) and `domain/evidence.py` (what comes out).
"""
