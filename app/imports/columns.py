"""Which column of a sheet holds what: as its owner says, else guessed from the header."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from app.imports.records import UnreadableFile

_MARKS = re.compile(r"[^a-z0-9äöüß]+")


def mapping(columns: Sequence[str], said: Sequence[str], known: Mapping[str, Sequence[str]], needed: Sequence[str]) -> dict[str, str]:
    """Column by field. `said` are texts `field=Column` (`field=` for none); `known` the headers by which each field is guessed.

    UnreadableFile, naming what there is, for an unknown field or column, or where a field that is `needed` has none.
    """
    found = _said(columns, said, known)
    folded: dict[str, str] = {}
    for column in columns:
        folded.setdefault(_fold(column), column)
    for field, headers in known.items():
        if field not in found:
            free = (folded[header] for header in headers if header in folded and folded[header] not in found.values())
            if column := next(free, ""):
                found[field] = column
    if missing := [field for field in needed if not found.get(field)]:
        raise UnreadableFile(
            f"no column seems to hold {' or '.join(missing)}: say which with --map {missing[0]}=COLUMN. There are: {', '.join(columns)}"
        )
    return {field: column for field, column in found.items() if column}


def _said(columns: Sequence[str], said: Sequence[str], known: Mapping[str, Sequence[str]]) -> dict[str, str]:
    found = {}
    for each in said:
        field, separator, column = each.partition("=")
        if field not in known or not separator:
            raise UnreadableFile(f"--map {each[:60]}: it is FIELD=COLUMN, and a field is one of {', '.join(known)}")
        if column and column not in columns:
            raise UnreadableFile(f"--map {each[:60]}: there is no column {column[:60]!r}. There are: {', '.join(columns)}")
        found[field] = column
    return found


def _fold(header: str) -> str:
    return _MARKS.sub(" ", header.lower()).strip()
