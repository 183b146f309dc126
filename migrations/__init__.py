"""The database's schema, step by step (Alembic). `app.migrate` runs them."""
