"""What an address and a referrer say, and what they do not."""

from __future__ import annotations

import pytest

from app import ids
from app.collect.origins import NOWHERE, Origin, arrival, campaign_key, origin_id, registrable_domain

PAGE = "https://www.example.com/pricing"


@pytest.mark.parametrize(
    ("url", "host", "path", "kept"),
    [
        (PAGE, "example.com", "/pricing", PAGE),
        ("https://EXAMPLE.com", "example.com", "/", "https://EXAMPLE.com"),
        ("https://me:secret@shop.example.com:8080/a%20b?c=d#e", "shop.example.com", "/a%20b", "https://shop.example.com:8080/a%20b?c=d#e"),
        ("https://bücher.example/", "xn--bcher-kva.example", "/", "https://bücher.example/"),
        ("http://[2001:db8::1]:8000/x", "2001:db8::1", "/x", "http://[2001:db8::1]:8000/x"),
        ("/only/a/path", "", "/only/a/path", "/only/a/path"),
        (None, "", "", None),
    ],
)
def test_the_page(url, host, path, kept):
    found = arrival(url, None)
    assert (found.host, found.path, found.url) == (host, path, kept)


def test_what_is_no_address_is_refused():
    with pytest.raises(ValueError, match="url is not an address"):
        arrival("https://[half/", None)


@pytest.mark.parametrize(
    ("url", "referrer", "referring_host", "is_internal"),
    [
        (PAGE, "https://www.google.com/", "google.com", False),
        (PAGE, "https://www.google.com:443/search?q=x", "google.com", False),
        (PAGE, "https://blog.example.com/post", "", True),
        (PAGE, "https://example.com.evil.test/", "example.com.evil.test", False),
        (PAGE, "https://notexample.com/", "notexample.com", False),
        (PAGE, "android-app://com.google.android.gm/", "com.google.android.gm", False),
        (PAGE, "https://[broken", "", False),
        (PAGE, "not an address", "", False),
        (PAGE, "", "", False),
        (None, "https://google.com/", "google.com", False),
        ("https://one.github.io/", "https://two.github.io/", "two.github.io", False),
        ("http://192.168.1.1/", "http://192.168.2.1/", "192.168.2.1", False),
        ("http://192.168.1.1/", "http://192.168.1.1/x", "", True),
        ("http://localhost:8000/", "http://localhost:3000/", "", True),
    ],
)
def test_the_referrer(url, referrer, referring_host, is_internal):
    found = arrival(url, referrer)
    assert (found.origin.referring_host, found.has_internal_referrer) == (referring_host, is_internal)


@pytest.mark.parametrize(
    ("query", "origin", "click_id"),
    [
        ("", NOWHERE, None),
        ("utm_source=Google&utm_medium=CPC&utm_campaign=Spring", Origin(source="Google", medium="CPC", campaign="Spring"), None),
        ("utm_term=a+b&utm_content=%C3%BC", Origin(term="a b", content="ü"), None),
        ("utm_source=&utm_source=second", Origin(source="second"), None),
        ("utm_source=%20%20", NOWHERE, None),
        ("utm_source=a%00b", Origin(source="ab"), None),
        ("utm_source=%ff", Origin(source="\ufffd"), None),
        ("gclid=A-1", Origin(click_id_kind="gclid"), "A-1"),
        ("fbclid=f&gclid=g", Origin(click_id_kind="gclid"), "g"),
        ("fbclid=f", Origin(click_id_kind="fbclid"), "f"),
        ("ScCid=s", Origin(click_id_kind="ScCid"), "s"),
        ("braid=1&aid=2&GCLID=3&xgclid=4&my_utm_source=5", NOWHERE, None),
        ("gclid=", NOWHERE, None),
    ],
)
def test_campaign_parameters_and_click_ids_by_exact_name(query, origin, click_id):
    found = arrival(f"{PAGE}?{query}", None)
    assert (found.origin, found.click_id) == (origin, click_id)


@pytest.mark.parametrize("length", [10, 5_000])
def test_long_addresses_are_read_alike(length):
    assert arrival(f"{PAGE}?utm_source=a&x={'y' * length}", None).origin == Origin(source="a")


def test_the_origin_keeps_the_spelling_and_the_campaign_key_folds_it():
    upper, lower = Origin(source="Google", campaign="X"), Origin(source="google", campaign="x")
    assert origin_id(upper) != origin_id(lower)
    assert campaign_key(upper, "c") == campaign_key(lower, "C") != campaign_key(lower, None)


@pytest.mark.parametrize(
    ("origin", "click_id", "has_key"),
    [
        (NOWHERE, None, False),
        (Origin(referring_host="google.com"), None, False),
        (Origin(term="shoes"), None, True),
        (Origin(explicit_channel="Webinars"), None, True),
        (Origin(click_id_kind="gclid"), "1", True),
    ],
)
def test_only_a_campaign_or_a_click_id_makes_a_campaign_key(origin, click_id, has_key):
    assert (campaign_key(origin, click_id) is not None) is has_key


def test_the_empty_origin_has_the_name_that_a_new_site_gives_it():
    assert origin_id(NOWHERE) == ids.digest("", "", "", "", "", "", "", "")


@pytest.mark.parametrize(
    ("host", "domain"),
    [("a.b.example.co.uk", "example.co.uk"), ("co.uk", "co.uk"), ("me.github.io", "me.github.io"), ("10.0.0.1", "10.0.0.1"), ("", "")],
)
def test_registrable_domains(host, domain):
    assert registrable_domain(host) == domain
