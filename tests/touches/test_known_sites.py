"""The list of known sites is sound, and hosts are found in it whole, never in part."""

from __future__ import annotations

from collections import Counter

import pytest
from publicsuffixlist import PublicSuffixList

from app.collect import origins
from app.touches.known_sites import CLICK_IDS, IGNORED_KINDS, KnownSite, canonical_source, known_host, known_source, listed_sites, read_file

CONTENT = read_file()
LISTED = list(listed_sites(CONTENT))
WEB = [(region, domain, site) for region, domain, site in LISTED if region != "apps"]
KINDS = {"search", "social", "video", "shopping", "email", "ai", "payment", "sign_in", "other"}
REGIONS = {
    "worldwide", "europe", "russia_cis", "china", "korea", "japan", "india", "southeast_asia", "latin_america", "middle_east", "africa",
}  # fmt: skip


def test_every_domain_is_listed_once() -> None:
    twice = [domain for domain, times in Counter(domain for _, domain, _ in LISTED).items() if times > 1]
    assert twice == []


def test_every_domain_can_be_registered_or_lies_below_one_that_can() -> None:
    suffixes = PublicSuffixList(only_icann=True)
    wrong = [domain for _, domain, _ in WEB if suffixes.privatesuffix(domain.replace(".*", ".com")) is None]
    assert wrong == []
    assert all(domain == domain.lower() and not domain.startswith("www.") for _, domain, _ in LISTED)


def test_no_domain_repeats_what_the_one_above_it_says() -> None:
    """Nor is anything called `other` that no listed domain covers: it would be a plain referral anyway."""
    needless = [domain for _, domain, site in WEB if (above(domain) or KnownSite("", "other")) in (site, KnownSite("", site.kind))]
    assert needless == []


def above(domain: str) -> KnownSite | None:
    """What the list says of the domain above one."""
    return known_host(domain.replace(".*", ".com").partition(".")[2])


def test_kinds_and_regions_are_those_that_the_file_explains() -> None:
    assert {site.kind for _, _, site in LISTED} == KINDS
    assert {region for region, _, _ in LISTED} == REGIONS | {"apps"}


@pytest.mark.parametrize(
    ("kind", "least"),
    [("search", 90), ("social", 150), ("video", 65), ("shopping", 150), ("email", 90), ("ai", 60), ("payment", 150), ("sign_in", 60)],
)
def test_enough_of_each_kind(kind: str, least: int) -> None:
    assert len([domain for _, domain, site in WEB if site.kind == kind]) >= least


@pytest.mark.parametrize(
    ("region", "least"),
    [
        ("worldwide", 250), ("europe", 150), ("russia_cis", 80), ("china", 90), ("korea", 50), ("japan", 45), ("india", 25),
        ("southeast_asia", 50), ("latin_america", 45), ("middle_east", 50), ("africa", 30),
    ],
)  # fmt: skip
def test_enough_of_each_region(region: str, least: int) -> None:
    assert len([domain for found, domain, _ in WEB if found == region]) >= least


def test_spellings_are_folded_distinct_and_no_names_themselves() -> None:
    spellings = [spelling for listed in CONTENT["spellings"].values() for spelling in listed]
    assert len(spellings) == len(set(spellings))
    assert all(spelling == " ".join(spelling.lower().split()) for spelling in spellings)
    names = {site.name for _, _, site in LISTED if site.kind not in IGNORED_KINDS | {"other"}}
    assert names.intersection(spellings) == set()


def test_what_spellings_and_click_ids_mean_is_listed() -> None:
    names = {site.name for _, _, site in LISTED}
    unlisted = {"(direct)", "outbrain", "taboola"}
    assert set(CONTENT["spellings"]) - names == unlisted
    assert {source for click in CLICK_IDS.values() for source in click.goes_with if not known_source(source)} == {
        "outbrain", "taboola", "impact", "awin", "cj", "rakuten-advertising", "admitad", "kochava", "vero",
    }  # fmt: skip


def test_the_click_ids_that_are_collected_are_those_that_mean_something() -> None:
    assert {parameter.lower() for parameter in origins.CLICK_IDS} == set(CLICK_IDS)


GOOGLE = KnownSite("google", "search")


@pytest.mark.parametrize(
    ("host", "site"),
    [
        ("google.com", GOOGLE),
        ("www.google.com", GOOGLE),
        ("google.co.uk", GOOGLE),
        ("google.com.br", GOOGLE),
        ("images.google.de", GOOGLE),
        ("mail.google.com", KnownSite("gmail", "email")),
        ("gemini.google.com", KnownSite("gemini", "ai")),
        ("accounts.google.com", KnownSite("google", "sign_in")),
        ("accounts.google.co.jp", KnownSite("google", "sign_in")),
        ("pay.google.com", KnownSite("google-pay", "payment")),
        ("docs.google.com", KnownSite("google", "other")),
        ("google.evil.com", None),
        ("google.com.evil.com", None),
        ("notgoogle.com", None),
        ("google.blogspot.com", None),
        ("google", None),
        ("t.co", KnownSite("twitter", "social")),
        ("microsoft.com", None),
        ("netflix.com", KnownSite("netflix", "video")),
        ("x.com", KnownSite("twitter", "social")),
        ("us-mg5.mail.yahoo.com", KnownSite("yahoo-mail", "email")),
        ("search.yahoo.co.jp", KnownSite("yahoo", "search")),
        ("yandex.com.tr", KnownSite("yandex", "search")),
        ("mail.yandex.kz", KnownSite("yandex", "email")),
        ("tieba.baidu.com", KnownSite("tieba", "social")),
        ("m.baidu.com", KnownSite("baidu", "search")),
        ("m.blog.naver.com", KnownSite("naver-blog", "social")),
        ("com.google.android.gm", KnownSite("gmail", "email")),
        ("142.250.1.1", None),
        ("[2001:db8::1]", None),
        ("localhost", None),
        ("xn--e1afmkfd.xn--p1ai", None),
        ("", None),
    ],
)
def test_hosts(host: str, site: KnownSite | None) -> None:
    assert known_host(host) == site


@pytest.mark.parametrize(
    ("source", "name", "kind"),
    [
        ("google", "google", "search"),
        ("adwords", "google", "search"),
        ("google.co.in", "google", "search"),
        ("fb", "facebook", "social"),
        ("ig", "instagram", "social"),
        ("x", "twitter", "social"),
        ("chatgpt.com", "chatgpt", "ai"),
        ("yandex", "yandex", "search"),
        ("mail.ru", "mail.ru", "search"),
        ("outlook", "outlook", "email"),
        ("taboola_ads", "taboola", None),
        ("our-partner", "our-partner", None),
        ("our.partner.example", "our.partner.example", None),
    ],
)
def test_sources(source: str, name: str, kind: str | None) -> None:
    site = known_source(source)
    assert (canonical_source(source), site.kind if site else None) == (name, kind)
