"""Rewrites the one initial migration, and the data dictionary, from `app/tables.py`. For use before the first release only:
`python migrations/regenerate.py`."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path
from typing import Literal

ROOT = Path(__file__).resolve().parents[1]
TARGET = ROOT / "migrations" / "versions" / "0001_first_version.py"
sys.path.insert(0, str(ROOT))

import sqlalchemy as sa  # noqa: E402  (the clone comes first on the path)
from alembic.autogenerate import render_python_code  # noqa: E402
from alembic.operations import ops  # noqa: E402

from app import dictionary, tables  # noqa: E402

TEMPLATE = '''\
"""The first version of every table. Written by migrations/regenerate.py from app/tables.py."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

# The digest tells a database of one pre-release schema from one of another.
revision = "{digest}"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    {create}
    if op.get_bind().dialect.name == "postgresql":
        create_staging()


def create_staging() -> None:
    """One stage's work between computing and swapping; SQLite has these as temporary tables of a connection."""
    {create_staging}


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        drop_staging()
    {drop}


def drop_staging() -> None:
    {drop_staging}
'''


def creations(metadata: sa.MetaData) -> list[ops.MigrateOperation]:
    """An operation a table and an index, tables in the order of their definition."""
    found: list[ops.MigrateOperation] = []
    for table in metadata.tables.values():
        found.append(ops.CreateTableOp.from_table(table))
        found.extend(ops.CreateIndexOp.from_index(index) for index in sorted(table.indexes, key=lambda index: str(index.name)))
    return found


def unlogged(metadata: sa.MetaData) -> sa.MetaData:
    """The same tables, without write-ahead log."""
    copy = sa.MetaData()
    for table in metadata.tables.values():
        table.to_metadata(copy)._prefixes = ["UNLOGGED"]  # noqa: SLF001 (Table takes them in its constructor only)
    return copy


def plain_type(kind: str, thing: object, _context: object) -> str | Literal[False]:
    """A migration states the types of its day, not of today's code."""
    if kind == "type" and isinstance(thing, tables.Moment):
        return "sa.BigInteger()"
    return False


def rendered(operations: list[ops.MigrateOperation]) -> str:
    """The operations as Python, indented for a function's body."""
    code = render_python_code(ops.UpgradeOps(operations), render_item=plain_type)
    return "\n".join(line for line in code.splitlines() if not line.strip().startswith("#")).strip()


def dropped(metadata: sa.MetaData) -> str:
    """Drops every table; its indexes go with it."""
    return "\n    ".join(f'op.drop_table("{name}")' for name in reversed(list(metadata.tables)))


def main() -> None:
    staging = unlogged(tables.staging)
    parts = {
        "create": rendered(creations(tables.metadata)),
        "create_staging": rendered(creations(staging)),
        "drop": dropped(tables.metadata),
        "drop_staging": dropped(staging),
    }
    digest = hashlib.sha256("".join(parts.values()).encode()).hexdigest()[:8]
    TARGET.write_text(TEMPLATE.format(digest=digest, **parts))
    subprocess.run([sys.executable, "-m", "ruff", "format", "--quiet", str(TARGET)], check=True, cwd=ROOT)  # noqa: S603
    dictionary.write()


if __name__ == "__main__":
    main()
