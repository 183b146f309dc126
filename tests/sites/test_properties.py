"""Properties that a site maps, the filters on them, and segments."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from app.attribution.question import DIMENSIONS
from app.sites.properties import TAKEN, condition_of, properties_of_site
from app.sites.settings import SiteSettings

INDUSTRY = {"name": "industry", "of": "company", "from": "Branch"}
SETTINGS = SiteSettings.model_validate({"properties": [INDUSTRY]})
KNOWN = properties_of_site(SETTINGS.properties)


@pytest.mark.parametrize(
    ("text", "values", "is_not"),
    [
        ("industry:Software", ("Software",), False),
        ("industry:Software, Finance", ("Software", "Finance"), False),
        ("industry:!Software,Finance", ("Software", "Finance"), True),
        (r"industry:Food\, Drink,\!new,a\\b", ("Food, Drink", "!new", "a\\b"), False),
        ("industry:a:b", ("a:b",), False),
        ("industry:a,,a,b", ("a", "b"), False),
        ("industry:(not set)", ("(not set)",), False),
        ("industry:end\\", ("end",), False),
    ],
)
def test_a_filter_names_a_property_and_values(text, values, is_not):
    condition = condition_of(text, KNOWN)
    assert (condition.property.source, condition.values, condition.is_not) == ("Branch", values, is_not)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("planet:Mars", "industry, pipeline"), ("Branch:x", "industry"), ("industry", "industry:value"), ("industry:", "industry:value"),
        ("industry:!", "industry:value"), ("industry:,", "industry:value"), ("industry:a\x00", "control"), ("", "industry"),
        ("industry:" + ",".join(map(str, range(101))), "100"),
    ],
)  # fmt: skip
def test_what_is_no_filter_is_refused_with_what_is_allowed(text, named):
    with pytest.raises(ValueError, match=named):
        condition_of(text, KNOWN)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"properties": [{**INDUSTRY, "name": "Industry"}]}, "a-z"),
        ({"properties": [{**INDUSTRY, "name": "customer"}]}, "my_customer"),
        ({"properties": [INDUSTRY, INDUSTRY]}, "twice"),
        ({"properties": [{**INDUSTRY, "of": "planet"}]}, "company"),
        ({"properties": [{**INDUSTRY, "from": " "}]}, "character"),
        ({"segments": [{"name": "a", "filters": ["planet:Mars"]}]}, "industry"),
        ({"segments": [{"name": "a", "filters": []}]}, "at least 1"),
        ({"segments": [{"name": "a", "filters": ["type:new"]}] * 2}, "twice"),
        ({"segments": [{"name": "a", "filters": ["industry:x"]}], "properties": []}, "unknown property"),
    ],
)
def test_settings_that_would_not_work_are_refused(changes, named):
    with pytest.raises(ValidationError, match=named):
        SETTINGS.changed(changes)


def test_settings_come_back_as_they_were_given():
    changed = SETTINGS.changed({"segments": [{"name": "Tech", "filters": ["industry:Software"]}]})
    assert SiteSettings.model_validate_json(changed.as_json()) == changed
    assert changed.model_dump(mode="json")["properties"] == [INDUSTRY]


def test_no_property_has_the_name_of_a_dimension():
    assert set(DIMENSIONS) <= TAKEN
