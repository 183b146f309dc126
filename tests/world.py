"""The keys and, as the product grows, the cast of the tests."""

from __future__ import annotations

WRITE_KEY = "cl_write_for_tests_only"
SECRET_KEY = "cl_secret_for_tests_only_0123456789"
