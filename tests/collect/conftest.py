"""Fixtures of the snippet's tests: one browser for all of them, with a window of its own for each."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from fastapi import FastAPI
from playwright.async_api import Browser, async_playwright

from app.db import Database
from tests.collect.web import BROWSER_ARGUMENTS, Web, open_web


@pytest.fixture(scope="session")
async def browser(chromium: str) -> AsyncIterator[Browser]:
    """A real one. Pages that were left are kept for the way back, which Playwright would switch off."""
    async with async_playwright() as playwright:
        opened = await playwright.chromium.launch(
            executable_path=chromium, args=BROWSER_ARGUMENTS, ignore_default_args=["--disable-back-forward-cache"]
        )
        yield opened
        await opened.close()


@pytest.fixture
async def web(browser: Browser, application: FastAPI, database: Database) -> AsyncIterator[Web]:
    """The small web of `tests.collect.web`, seen by a person."""
    context = await browser.new_context()
    async with open_web(context, application, database) as opened:
        yield opened
        await context.close()
