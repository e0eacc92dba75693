"""Run by Alembic: migrates the connection that `app.tracks.database.upgrade` hands in."""

from alembic import context

context.configure(connection=context.config.attributes["connection"])
with context.begin_transaction():
    context.run_migrations()
