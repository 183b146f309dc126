"""The figures of README and docs are those that the command prints."""

from __future__ import annotations

import re
from pathlib import Path

from app.truth.markets import MARKETS

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "truth-bench.md").read_text()


def test_readme_shows_the_table_of_the_page() -> None:
    [table] = re.findall(r"^\| model \| `equal` .*?\n\n", (ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL)
    assert table in PAGE


def test_the_page_says_what_every_market_stands_for() -> None:
    for market in MARKETS.values():
        assert f"| `{market.name}` | {market.models} |" in PAGE
