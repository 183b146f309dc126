"""The keys and, as the product grows, the cast of the tests."""

from __future__ import annotations

from datetime import UTC, datetime

WRITE_KEY = "cl_write_for_tests_only"
SECRET_KEY = "cl_secret_for_tests_only_0123456789"
HASH_KEY = b"a hash key for tests only: 32 by"
SITE_MADE_AT = datetime(2026, 1, 1, tzinfo=UTC)
