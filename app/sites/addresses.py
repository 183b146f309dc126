"""E-mail addresses and their domains, written in one way."""

from __future__ import annotations

from functools import lru_cache

from email_validator import EmailNotValidError, validate_email


@lru_cache(maxsize=65_536)
def normal_email(text: str) -> str | None:
    """The address in lower case, its domain as Unicode writes it; None if it is not an e-mail address."""
    try:
        return validate_email(text.strip(), check_deliverability=False).normalized.lower()
    except EmailNotValidError:
        return None


@lru_cache(maxsize=65_536)
def normal_domain(text: str) -> str | None:
    """The domain of a company as its e-mails write it: of an address of its website too; None if it is none."""
    _, _, after_scheme = text.strip().lower().rpartition("://")
    host = after_scheme.partition("/")[0].removeprefix("www.")
    address = normal_email(f"somebody@{host}")
    return address and domain_of(address)


def domain_of(address: str) -> str:
    """What follows the `@`."""
    return address.rpartition("@")[2]
