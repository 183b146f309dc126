"""Answers that took long to compute, kept for as long as nothing that they rest on has changed."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Hashable
from typing import Any, ClassVar
from weakref import WeakKeyDictionary

from sqlalchemy import Engine
from sqlalchemy.ext.asyncio import AsyncEngine

MOST_OF_A_SITE = 16


class Remembered:
    """The newest answers of each site of one database, by what was asked, of which state of the site.

    `turn` is held while one is computed (`snapshot_in_turn`): who asks the same meanwhile finds it, and memory is needed for one
    at a time.
    """

    _of_engine: ClassVar[WeakKeyDictionary[Engine, Remembered]] = WeakKeyDictionary()

    def __init__(self) -> None:
        self.turn = asyncio.Lock()
        self._answers: dict[str, OrderedDict[Hashable, Any]] = {}

    @classmethod
    def of(cls, engine: AsyncEngine) -> Remembered:
        """What is remembered of a database, in this process."""
        return cls._of_engine.setdefault(engine.sync_engine, cls())

    def get(self, site_id: str, key: Hashable) -> Any:
        """The answer; None if it is not known."""
        return self._answers.get(site_id, OrderedDict()).get(key)

    def keep(self, site_id: str, key: Hashable, answer: Any) -> None:
        """Keep an answer, and no more than `MOST_OF_A_SITE` of its site: the oldest goes."""
        of_site = self._answers.setdefault(site_id, OrderedDict())
        of_site[key] = answer
        while len(of_site) > MOST_OF_A_SITE:
            of_site.popitem(last=False)
