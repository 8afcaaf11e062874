"""What is kept as rows: supports, leases, verdicts, clients, the outbox and the audit trail.

Callers open a `Storage`, take a support in with `insert_support`, and read it with `get_support`; a worker goes by `claim`,
`heartbeat`, and `finish` or `release`. Every function is synchronous: an async caller uses a thread.
"""
