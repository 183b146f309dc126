"""Every channel rule can be said in words, with what made it hold."""

from __future__ import annotations

import pytest

from app.collect.origins import Origin
from app.sites.settings import SiteSettings
from app.touches import rules_in_words
from app.touches.channels import RULES, label_origin

NOTHING = Origin(*[""] * len(Origin._fields))


def test_every_shipped_rule_has_its_words() -> None:
    assert set(rules_in_words._BECAUSE) == {rule.name for rule in RULES}


@pytest.mark.parametrize(
    ("origin", "words"),
    [
        ({}, "Direct, because there is no referrer that means anything, no campaign and no source."),
        (
            {"source": "google", "medium": "cpc"},
            "Paid Search, because 'google' is a search engine, and the medium 'cpc' says that it was paid.",
        ),
        (
            {"click_id_kind": "gclid"},
            "Paid Search, because 'google' is a search engine, and the click ID 'gclid' is given out for paid clicks alone.",
        ),
        (
            {"referring_host": "blog.example.net"},
            ("Referral, because a link on 'blog.example.net' was followed, which is no search engine, social network, video or shopping "
            "site (it came from blog.example.net)."),
        ),
        (
            {"referring_host": "google.com"},
            "Organic Search, because 'google' is a search engine, and nothing says that it was paid (it came from google.com).",
        ),
        ({"source": "letter", "medium": "email"}, "Email, because the medium 'email' says so."),
        ({"source": "newsletter"}, "Email, because the source 'newsletter' says so."),
        (
            {"source": "y", "medium": "cpc", "campaign": "shoes-shop"},
            "Paid Shopping, because the campaign 'shoes-shop' says shopping, and the medium 'cpc' says that it was paid.",
        ),
        ({"explicit_channel": "Events", "source": "fair"}, "Events, because the sender named the channel itself: 'Events'."),
        ({"source": "fair", "medium": "trade show"}, "Events, because the medium 'trade show' is a word for an event."),
        ({"source": "nobody", "medium": "knows"}, "Unassigned, because no rule knows the medium 'knows'."),
        ({"source": "y", "medium": "{oops}"}, "Unassigned, because no rule knows the medium '{oops}'."),
    ],
)
def test_in_words(origin: dict[str, str], words: str) -> None:
    settings = SiteSettings()
    made = NOTHING._replace(**origin)
    label = label_origin(made, settings)
    assert rules_in_words.in_words(label.channel, label.rule, made, settings) == words


def test_a_rule_of_the_sites_own_names_its_conditions() -> None:
    rules = [{"channel": "X", "source": "x"}, {"channel": "Fair", "source": "fair", "campaign": "spring*"}]
    settings = SiteSettings.model_validate({"channel_rules": rules})
    made = NOTHING._replace(source="Fair", campaign="Spring-26")
    label = label_origin(made, settings)
    words = rules_in_words.in_words(label.channel, label.rule, made, settings)
    assert words == "Fair, because rule 2 of the site's own asks for source 'fair' and campaign 'spring*'."
    assert "gone since" in rules_in_words.because(label.rule, made, SiteSettings())


def test_an_origin_as_sent_has_no_empty_parts() -> None:
    assert rules_in_words.as_sent(NOTHING._replace(source="Google", medium="CPC")) == {"source": "Google", "medium": "CPC"}
