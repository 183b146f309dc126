"""One line a reason for which nothing of a request is kept."""

from __future__ import annotations

import pytest

from app.collect.drops import Reason, Visit, client_address, is_bot, reason_to_drop
from app.sites.settings import SiteSettings
from tests.collect.user_agents import PEOPLE, PROGRAMS

BROWSER = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36"
OFFICE = SiteSettings(excluded_networks=["203.0.113.0/24", "2001:db8::/32"])
DNT = SiteSettings(honour_dnt=True)
NO_GPC = SiteSettings(honour_gpc=False)


@pytest.mark.parametrize(
    ("headers", "settings", "address", "reason"),
    [
        ({}, SiteSettings(), "198.51.100.7", None),
        ({"sec-purpose": "prefetch;prerender"}, SiteSettings(), "", Reason.PREFETCH),
        ({"sec-purpose": "prefetch;anonymous-client-ip"}, SiteSettings(), "", Reason.PREFETCH),
        ({"purpose": "prefetch"}, SiteSettings(), "", Reason.PREFETCH),
        ({"x-purpose": "preview"}, SiteSettings(), "", Reason.PREFETCH),
        # What a page sends once somebody looks at it, also by a beacon as it goes away.
        ({"sec-fetch-mode": "no-cors", "sec-fetch-dest": "empty", "sec-fetch-site": "cross-site"}, SiteSettings(), "", None),
        ({"x-moz": "prefetch"}, SiteSettings(), "", Reason.PREFETCH),
        ({"cookie": "a=b; closedloop_opt_out=1"}, SiteSettings(), "", Reason.OPTED_OUT),
        ({"cookie": "not_closedloop_opt_out=1"}, SiteSettings(), "", None),
        ({"sec-gpc": "1"}, SiteSettings(), "", Reason.GPC),
        ({"sec-gpc": "1"}, NO_GPC, "", None),
        ({"dnt": "1"}, SiteSettings(), "", None),
        ({"dnt": "1"}, DNT, "", Reason.DNT),
        ({"user-agent": ""}, SiteSettings(), "", Reason.BOT),
        ({"user-agent": "Mozilla/5.0"}, SiteSettings(), "", Reason.BOT),
        ({"user-agent": "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"}, SiteSettings(), "", Reason.BOT),
        ({"user-agent": "PostmanRuntime/7.43"}, SiteSettings(), "", Reason.BOT),
        ({"user-agent": "Java/21.0.1"}, SiteSettings(), "", Reason.BOT),
        ({"user-agent": "Ruby"}, SiteSettings(), "", Reason.BOT),
        ({"user-agent": BROWSER.replace("Chrome", "HeadlessChrome")}, SiteSettings(), "", Reason.BOT),
        ({}, OFFICE, "203.0.113.9", Reason.EXCLUDED_NETWORK),
        ({}, OFFICE, "::ffff:203.0.113.9", Reason.EXCLUDED_NETWORK),
        ({}, OFFICE, "2001:db8::5", Reason.EXCLUDED_NETWORK),
        ({}, OFFICE, "203.0.114.9", None),
        ({}, OFFICE, "nonsense", None),
    ],
)
def test_why_a_browsers_request_is_dropped(headers, settings, address, reason):
    assert reason_to_drop(Visit({"user-agent": BROWSER, **headers}, address, False, settings)) is reason


def test_people_are_told_from_programs():
    assert [name for name, agent in PEOPLE.items() if is_bot(agent)] == []
    assert [name for name, agent in PROGRAMS.items() if not is_bot(agent)] == []


def test_a_user_agent_is_read_up_to_its_512th_character():
    padded = BROWSER + " " * (512 - len(BROWSER))
    assert reason_to_drop(Visit({"user-agent": padded + "Googlebot/2.1"}, "", False, SiteSettings())) is None
    assert reason_to_drop(Visit({"user-agent": padded[:-10] + "Googlebot/" + "x" * 100_000}, "", False, SiteSettings())) is Reason.BOT


@pytest.mark.parametrize(("headers", "address"), [({"user-agent": "curl/8.0"}, ""), ({}, "203.0.113.9")])
def test_a_secret_key_is_not_judged_by_its_user_agent_or_address(headers, address):
    assert reason_to_drop(Visit(headers, address, True, OFFICE)) is None


@pytest.mark.parametrize(
    ("peer", "forwarded_for", "trusted", "address"),
    [
        ("198.51.100.1", "", "127.0.0.1", "198.51.100.1"),
        ("198.51.100.1", "203.0.113.9", "127.0.0.1", "198.51.100.1"),
        ("127.0.0.1", "203.0.113.9", "127.0.0.1", "203.0.113.9"),
        ("127.0.0.1", "1.1.1.1, 203.0.113.9", "127.0.0.1", "203.0.113.9"),
        ("10.0.0.1", "203.0.113.9, 10.0.0.2", "10.0.0.0/8, 127.0.0.1", "203.0.113.9"),
        ("10.0.0.1", "10.0.0.3", "10.0.0.0/8", "10.0.0.3"),
        ("8.8.8.8", "203.0.113.9, 4.4.4.4", "*", "203.0.113.9"),
        ("127.0.0.1", "1.1.1.1, 203.0.113.9:5678", "127.0.0.1", "203.0.113.9"),
        ("127.0.0.1", "[2001:db8::9]:5678", "127.0.0.1", "2001:db8::9"),
        ("127.0.0.1", "2001:db8::9", "127.0.0.1", "2001:db8::9"),
    ],
)
def test_only_trusted_proxies_are_believed(peer, forwarded_for, trusted, address):
    assert client_address(peer, forwarded_for, trusted) == address
