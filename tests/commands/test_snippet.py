"""closedloop snippet."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

from app.collect.snippet import script
from app.settings import settings

Command = Callable[..., Result]


@pytest.fixture
def key(command: Command, tmp_path: Path) -> str:
    """The write key of the site `default`."""
    (tmp_path / "empty.jsonl").write_text("")
    return re.search(r"write key of the site default \(shown once\): (\S+)", command("import", "empty.jsonl").stdout)[1]


def test_the_tag_is_ready_to_paste(command: Command, key: str) -> None:
    printed = command("snippet", "--url", "https://loop.brand.example/")
    assert printed.stdout == (
        f'<script defer src="https://loop.brand.example/loop.js" integrity="{script().integrity}" crossorigin="anonymous" data-key="{key}"></script>\n'
    )
    assert printed.stderr == ""
    without = command("snippet", "--url", "https://loop.brand.example", "--no-integrity")
    assert without.stdout == f'<script defer src="https://loop.brand.example/loop.js" data-key="{key}"></script>\n'


def test_what_the_site_wants_stands_in_it(command: Command, key: str) -> None:
    command("sites", "change", "default", "--set", "consent=opt_in", "--set", "honour_gpc=false", "--set", "honour_dnt=true")
    options = ("--domains", "a.example,b.example", "--form-fields", 'company,"size"', "--hash", "--embedded-forms")
    links, snippet, forms = command("snippet", "--url", "https://l.example/x", *options).stdout.splitlines()
    assert links.endswith(f' crossorigin="anonymous" data-key="{key}" data-domains="a.example,b.example"></script>')
    assert 'src="https://l.example/x/loop-links.js"' in links
    assert snippet.endswith(
        f'data-key="{key}" data-consent="opt-in" data-gpc="ignore" data-dnt="honour" data-form-fields="company,&quot;size&quot;" data-hash></script>'
    )
    assert 'src="https://l.example/x/loop-forms.js"' in forms
    assert 'data-consent="cookieless"' in command("snippet", "--consent", "cookieless").stdout


def test_other_names_stand_in_it(command: Command, key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLOSEDLOOP_SNIPPET_PATH", "/js/shop.js")
    monkeypatch.setenv("CLOSEDLOOP_COLLECT_PATH", "/c/e")
    monkeypatch.setenv("CLOSEDLOOP_PUBLIC_URL", "https://l.example")
    settings.cache_clear()
    links, snippet = command("snippet", "--domains", "a.example").stdout.splitlines()
    assert 'src="https://l.example/js/shop-links.js"' in links
    assert 'src="https://l.example/js/shop.js"' in snippet
    assert links.count('data-to="https://l.example/c/e"') == snippet.count('data-to="https://l.example/c/e"') == 1


def test_it_says_what_is_missing(command: Command, key: str) -> None:
    command("sites", "create", "shop")
    printed = command("snippet", "--site", "shop")
    assert 'src="https://loop.example.com/loop.js"' in printed.stdout
    assert 'data-key="WRITE_KEY"' in printed.stdout
    assert "CLOSEDLOOP_PUBLIC_URL" in printed.stderr
    assert "closedloop keys create --site shop --kind write" in printed.stderr
