"""What Alembic runs for each command: one connection, the lock, and each migration in a transaction of its own."""

from __future__ import annotations

import asyncio

from alembic import context
from sqlalchemy import Connection

from app import migrate, tables
from app.settings import Settings


def migrate_on(connection: Connection) -> None:
    """Runs the migrations that the command asked for."""
    context.configure(
        connection=connection,
        target_metadata=tables.metadata,
        transaction_per_migration=True,
        # Alembic takes SQLite for a database that cannot undo DDL, because its driver commits behind one's back;
        # `app.db` has switched that off.
        transactional_ddl=True,
    )
    with context.begin_transaction():
        context.run_migrations()


url = context.config.attributes.get("database_url") or Settings().database_url
asyncio.run(migrate.locked(url, migrate_on))
