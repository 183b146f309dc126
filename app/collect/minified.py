"""Makes the scripts small: `make scripts` writes a `*.min.js` beside each source, and a test compares them.

The minifier (tdewolff/minify) is needed by developers only. It names what is local anew, so that sources can have words.
"""

from __future__ import annotations

from pathlib import Path

_FOLDER = Path(__file__).parent


def sources() -> list[Path]:
    """Each script as people read it."""
    return [path for path in sorted(_FOLDER.glob("*.js")) if not path.name.endswith(".min.js")]


def target(source: Path) -> Path:
    """Where the small one of a source stands."""
    return source.with_suffix(".min.js")


def minified(source: Path) -> str:
    """The script without comments, white space and long names."""
    import minify

    return str(minify.string("application/javascript", source.read_text(encoding="utf-8")))


if __name__ == "__main__":
    for each in sources():
        target(each).write_text(minified(each), encoding="utf-8")
