"""Alembic's entry: runs in the transaction that `records.engine.upgrade` opened."""

from __future__ import annotations

from alembic import context

from pipeline.records.tables import METADATA

context.configure(connection=context.config.attributes["connection"], target_metadata=METADATA,
                  render_as_batch=True, transactional_ddl=False)
context.run_migrations()
