"""What a site's settings may be, and what they are made into."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from app.errors import Unprocessable
from app.sites.administration import checked_settings
from app.sites.settings import SiteSettings, merge_patch, normal_host


@pytest.mark.parametrize(
    ("field", "given", "kept"),
    [
        ("currency", "eur", "EUR"),
        ("currency", "HRK", "HRK"),
        ("country", "de", "DE"),
        ("hosts", ["WWW.Shop.Example.", "shop.example", "bücher.example", "localhost", "192.0.2.7"],
         ["shop.example", "xn--bcher-kva.example", "localhost", "192.0.2.7"]),
        ("excluded_networks", ["203.0.113.9/24", "2001:DB8::1"], ["203.0.113.0/24", "2001:db8::1/128"]),
        ("excluded_paths", ["/login", " /staff/* "], ["/login", "/staff/*"]),
        ("source_aliases", {"FB": "facebook", " Straße ": "street"}, {"fb": "facebook", "strasse": "street"}),
        ("lead_forms", ["demo", "demo", " talk to us "], ["demo", "talk to us"]),
    ],
)  # fmt: skip
def test_values_are_kept_in_one_spelling(field: str, given: Any, kept: Any) -> None:
    assert getattr(SiteSettings(**{field: given}), field) == kept


def test_a_rule_is_folded_where_it_is_compared() -> None:
    rule = SiteSettings(channel_rules=[{"channel": " Radio ", "source": "FM", "referrer": "www.FM.example"}]).channel_rules[0]
    assert (rule.channel, rule.source, rule.referrer) == ("Radio", "fm", "fm.example")


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"timezone": "Europe/Berln"}, "timezone: 'Europe/Berln' is not an IANA time zone such as UTC.*did you mean Europe/Berlin"),
        ({"timezone": "../etc/passwd"}, "timezone: .*not an IANA time zone"),
        ({"timezone": "localtime"}, "timezone: .*not an IANA time zone"),
        ({"currency": "XAU"}, "currency: unknown currency 'XAU': an ISO 4217 code"),
        ({"country": "Germany"}, "country: .*two letters such as DE"),
        ({"hosts": ["https://shop.example/"]}, "hosts.0: .*is not a host name: give it alone"),
        ({"hosts": ["shop.example:8080"]}, "hosts.0: .*is not a host name"),
        ({"hosts": ["shop..example"]}, "hosts.0: .*is not a host name"),
        ({"hosts": ["*.example"]}, "hosts.0: .*is not a host name"),
        ({"excluded_paths": ["login"]}, "excluded_paths.0: .*begins with /"),
        ({"excluded_paths": ["/a*b"]}, r"excluded_paths.0: .*a \* only at its end"),
        ({"excluded_paths": ["/a\x00"]}, "excluded_paths.0: .*control characters"),
        ({"excluded_networks": ["300.1.1.1/8"]}, "excluded_networks.0: .*such as 203.0.113.0/24"),
        ({"goals": [{"name": "Lead", "path": "/x"}]}, "goals.0.name: 'Lead' is taken: customer, lead, mql, opportunity, sql"),
        ({"goals": [{"name": "form:demo", "path": "/x"}]}, "goals.0.name: .*is taken"),
        ({"goals": [{"name": "x"}]}, "goals.0: a goal needs an event, a path, or both"),
        ({"goals": [{"name": "x", "event": "deal_closed"}]}, "goals.0.event: deal_closed is a fact about a deal"),
        ({"goals": [{"name": "x", "path": "/"}, {"name": " x", "path": "/y"}]}, "two goals are named 'x'"),
        ({"goals": [{"name": "x", "path": "/", "once_per": "day"}]}, "goals.0.once_per: Input should be 'person' or 'event'"),
        ({"segment_deals": [{"event": "Paid"}, {"event": "PAID "}]}, "segment_deals names 'paid' twice"),
        ({"segment_deals": [{"event": "Paid", "outcome": "paid"}]}, "segment_deals.0.outcome: Input should be 'won', 'lost', 'open' or 'refunded'"),
        ({"scoring": {"rules": [{"name": "x", "points": 1}]}}, "scoring.rules.0: a rule of the score needs an event, a path or a form"),
        ({"scoring": {"rules": [{"name": "x", "points": 1, "path": "/", "at_most": 0}]}}, "scoring.rules.0.at_most: .*greater than or equal to 1"),
        ({"scoring": {"rules": [{"name": "x", "points": 1, "path": "/"}], "fits": [{"name": "x", "points": 2, "property": "size"}]}},
         "scoring: two rules of the score are named 'x'"),
        ({"scoring": {"fits": [{"name": "x", "points": 2, "of": "deal", "property": "size"}]}}, "scoring.fits.0.of: Input should be 'person' or"),
        ({"scoring": {"threshold": 0}}, "scoring.threshold: .*greater than or equal to 1"),
        ({"scoring": {"half_life_days": -1}}, "scoring.half_life_days: .*greater than or equal to 0"),
        ({"bant_minimum": 5}, "bant_minimum: .*less than or equal to 4"),
        ({"channel_rules": [{"channel": "Radio"}]}, "channel_rules.0: a channel rule needs a condition"),
        ({"source_aliases": {"FB": "facebook", "fb": "meta"}}, "source_aliases: 'fb' stands for two different names"),
        ({"lookback_days": {"lead": 731}}, "lookback_days.lead: .*less than or equal to 730"),
        ({"lookback_days": {"goal": 0}}, "lookback_days.goal: .*greater than or equal to 1"),
        ({"half_life_days": float("nan")}, "half_life_days: "),
        ({"session_gap_minutes": 0}, "session_gap_minutes: "),
        ({"touch_cap": 1}, "touch_cap: "),
        ({"nonsense": 1}, "nonsense: Extra inputs are not permitted"),
        ({"hosts": None, "lead_forms": [""]}, "lead_forms.0: "),
    ],
)
def test_what_is_not_allowed_is_named_with_what_is(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(Unprocessable, match=told):
        checked_settings(SiteSettings(), changes)


def test_the_answer_echoes_no_unknown_value() -> None:
    with pytest.raises(Unprocessable) as caught:
        checked_settings(SiteSettings(), {"secret": "whsec_do_not_show"})
    assert "do_not_show" not in str(caught.value.as_dict())


@pytest.mark.parametrize(
    ("target", "patch", "result"),
    [
        ({"a": 1, "b": 2}, {"a": None, "c": 3}, {"b": 2, "c": 3}),
        ({"a": {"x": 1, "y": 2}}, {"a": {"x": None, "z": 3}}, {"a": {"y": 2, "z": 3}}),
        ({"a": [1, 2]}, {"a": [3]}, {"a": [3]}),
        ({"a": 1}, {"a": {"b": None}}, {"a": {}}),
    ],
)
def test_merge_patch(target: Any, patch: Any, result: Any) -> None:
    assert merge_patch(target, patch) == result


def test_a_change_keeps_the_rest_and_null_takes_back() -> None:
    changed = SiteSettings().changed({"lookback_days": {"lead": 30}, "country": "DE", "source_aliases": {"fb": "facebook"}})
    again = changed.changed({"country": None, "source_aliases": {"ig": "instagram"}})
    assert (again.lookback_days.lead, again.lookback_days.customer, again.country) == (30, 365, None)
    assert again.source_aliases == {"fb": "facebook", "ig": "instagram"}


def test_what_is_stored_is_read_back() -> None:
    settings = SiteSettings(goals=[{"name": "demo", "path": "/demo*"}], timezone="Asia/Tokyo", lead_forms=["x"])
    assert SiteSettings.model_validate_json(settings.as_json()) == settings


@pytest.mark.parametrize("text", ["", " ", "a b", "x" * 64 + ".example", "-a.example", "ü" * 70])
def test_no_host(text: str) -> None:
    with pytest.raises(ValueError, match="not a host name"):
        normal_host(text)


def test_settings_cannot_be_changed_in_place() -> None:
    with pytest.raises(ValidationError):
        SiteSettings().timezone = "Asia/Tokyo"  # type: ignore[misc]
