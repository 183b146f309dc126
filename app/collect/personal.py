"""What looks personal in an address and is taken out of it before anything is stored: parameters by their exact name, and
values that are an e-mail address or a phone number.

The rest of the address stays as it was sent. Names are compared without case, `-` and `_`, so that `first_name`,
`first-name` and `firstName` are one; of `user[email]` the inner name counts, of `email[0]` and `email[]` the one before.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any
from urllib.parse import unquote, unquote_plus

from app.sites.settings import SiteSettings

CREDENTIALS = frozenset(
    [
        "password", "passwd", "passphrase", "passcode", "pass", "pwd", "secret", "clientsecret", "token", "accesstoken", "refreshtoken",
        "idtoken", "authtoken", "csrftoken", "csrfmiddlewaretoken", "csrf", "xsrftoken", "resettoken", "jwt", "otp", "auth",
        "authorization", "authcode", "apikey", "session", "sessionid", "sessiontoken", "sid", "sessid", "phpsessid", "jsessionid",
        "aspsessionid", "ssn", "socialsecuritynumber", "nationalid", "taxid", "passport", "passportnumber", "iban", "accountnumber",
        "cardnumber", "card", "creditcard", "creditcardnumber", "ccnumber", "ccnum", "ccn", "cardno", "pan", "cvv", "cvc", "cvv2",
        "cardcvc", "securitycode",
    ]
)  # fmt: skip
"""Names, folded, of what opens or pays for something."""

PERSONAL = CREDENTIALS | frozenset(
    [
        "email", "emailaddress", "mail", "mailaddress", "useremail", "usermail", "customeremail", "contactemail", "billingemail",
        "youremail", "emailid", "recipient", "phone", "phonenumber", "telephone", "telephonenumber", "tel", "mobile", "mobilephone",
        "mobilenumber", "cell", "cellphone", "whatsapp", "fax", "name", "firstname", "lastname", "fullname", "middlename", "surname",
        "familyname", "givenname", "fname", "lname", "nickname", "username", "realname", "customername", "contactname", "maidenname",
        "address", "addressline1", "addressline2", "address1", "address2", "street", "streetaddress", "streetname", "housenumber",
        "birth", "birthday", "birthdate", "birthyear", "dateofbirth", "dob", "gender",
    ]
)  # fmt: skip
"""Names, folded, of what is taken out unless a site keeps it."""

_ADDRESSES = frozenset({"url", "referrer", "referer", "href", "search", "path", "tab_url", "initial_referrer"})
_LINK = "_loop"
"""The token of a link between domains: nobody else may come by it."""
_SEPARATORS = str.maketrans("", "", "-_. ")
_INNER = re.compile(r"\[([^\[\]]+)\]\s*\Z")
_INDEX = re.compile(r"\[\d*\]\s*\Z")
_USER = re.compile(r"\A(\s*(?:[a-z][a-z0-9+.-]*:)?//)[^/?#]*@", re.IGNORECASE)
_EMAIL = re.compile(r"[\w.+%'-]@[\w.-]+\.[^\W\d_]{2,}")
_PHONE = re.compile(r"\s*\+\s*\d[\d\s().+/-]*\Z")
_FEWEST_DIGITS, _MOST_DIGITS = 8, 15


def personal_names(settings: SiteSettings) -> frozenset[str]:
    """Names of the parameters, folded, that a site takes out."""
    if not settings.stripped_parameters and not settings.kept_parameters:
        return PERSONAL
    return _names(tuple(settings.stripped_parameters), tuple(settings.kept_parameters))


@lru_cache(maxsize=4_096)
def _names(stripped: tuple[str, ...], kept: tuple[str, ...]) -> frozenset[str]:
    return (PERSONAL | {folded(name) for name in stripped}) - {folded(name) for name in kept}


def folded(name: str) -> str:
    """A parameter's name as it is compared."""
    if "[" in name:
        name = _INDEX.sub("", name)
    inner = _INNER.search(name)
    return (inner[1] if inner else name).translate(_SEPARATORS).casefold()


def without_personal(address: str, names: frozenset[str] = PERSONAL) -> str:
    """The address without a user name and password, and without what looks personal in its query, and in a fragment that is, or
    has, a query."""
    if "@" in address:
        address = _USER.sub(r"\1", address)
    if "?" not in address and "#" not in address:
        return address
    page, _, fragment = address.partition("#")
    kept_page, kept_fragment = _without(page, names), _without(fragment, names)
    before, mark, after = kept_fragment.partition("?")
    if "=" in before:
        kept_fragment = _kept(before, names) + mark + after
    if kept_page == page and kept_fragment == fragment:
        return address
    return kept_page + ("#" + kept_fragment if kept_fragment else "")


def without_personal_in(value: Any, names: frozenset[str], deepest: int = 10) -> Any:
    """A parsed JSON value, whose members that are named like addresses are without it."""
    if not deepest:
        return value
    if isinstance(value, list):
        return [without_personal_in(member, names, deepest - 1) for member in value]
    if isinstance(value, dict):
        return {name: _member(name, member, names, deepest - 1) for name, member in value.items()}
    return value


def _member(name: str, value: Any, names: frozenset[str], deepest: int) -> Any:
    if name in _ADDRESSES and isinstance(value, str):
        return without_personal(value, names)
    return without_personal_in(value, names, deepest)


def _without(text: str, names: frozenset[str]) -> str:
    path, _, query = text.partition("?")
    kept = _kept(query, names)
    return text if kept == query else path + ("?" + kept if kept else "")


def _kept(query: str, names: frozenset[str]) -> str:
    if not query:
        return query
    return "&".join(pair for pair in query.split("&") if not _is_personal(pair, names))


def _is_personal(pair: str, names: frozenset[str]) -> bool:
    name, _, value = pair.partition("=")
    if "%" in name or "+" in name:
        name = unquote_plus(name)
    return name == _LINK or folded(name) in names or looks_personal(name) or looks_personal(value)


def looks_personal(text: str) -> bool:
    """Whether a text, perhaps percent-encoded, even twice, holds an e-mail address, or is a phone number with its +."""
    if "%" in text:
        text = unquote(text)
        if "%" in text:
            text = unquote(text)
    if "@" in text and _EMAIL.search(text):
        return True
    return "+" in text and bool(_PHONE.match(text)) and _FEWEST_DIGITS <= sum(map(str.isdigit, text)) <= _MOST_DIGITS
