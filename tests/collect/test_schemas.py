"""What a body may hold: sizes first, and the same verdict whatever the database."""

from __future__ import annotations

import gzip
import json
import zlib

import pytest

from app.collect.schemas import Limits, inflate, read_body
from app.errors import BadRequest, TooLarge

GOOD = {"type": "visit", "visitor_id": "ann"}


def read(body, limits=Limits()):  # noqa: B008 - a tuple of numbers
    return read_body(body if isinstance(body, bytes) else json.dumps(body).encode(), limits)


def nested(depth):
    return json.loads("[" * depth + "]" * depth)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"type": None}, "type"),
        ({"type": ""}, "type"),
        ({"type": 5}, "type"),
        ({"type": "x" * 65}, "type"),
        ({"visitor_id": "x" * 129}, "visitor_id"),
        ({"visitor_id": "a\0"}, "visitor_id: a text holds NUL"),
        ({"visitor_id": "\ud800"}, "JSON"),
        ({"id": "x" * 129}, "id"),
        ({"url": "https://example.com/" + "x" * 8_192}, "url"),
        ({"sequence": -1}, "sequence"),
        ({"sequence": 1.5}, "sequence"),
        ({"sequence": True}, "sequence"),
        ({"sequence": "1"}, "sequence"),
        ({"sequence": 2**63}, "sequence"),
        ({"sequence": 10**4_000}, "sequence"),
        ({"engaged_ms": float("inf")}, "engaged_ms"),
        ({"occurred_at": "2026-03-01T12:00:00"}, "zone"),
        ({"occurred_at": "2026-03-01"}, "RFC 3339"),
        ({"occurred_at": 1772366400}, "RFC 3339"),
        ({"occurred_at": "٢٠٢٦-03-01T12:00:00Z"}, "RFC 3339"),
        ({"occurred_at": "2026-02-30T12:00:00Z"}, "occurred_at"),
        ({"occurred_at": "1969-12-31T23:59:59Z"}, "1970"),
        ({"occurred_at": "9000-01-01T00:00:00Z"}, "8999"),
        ({"occurred_at": "9999-12-31T23:59:59-12:00"}, "8999"),
        ({"occurred_at": "0001-01-01T00:00:00+14:00"}, "1970"),
        ({"properties": []}, "properties"),
        ({"properties": {"a\0": 1}}, "NUL"),
        ({"properties": {"a": ["x", {"b": "\0"}]}}, "NUL"),
        ({"properties": {"a": float("nan")}}, "finite"),
        ({"properties": {"a": -float("inf")}}, "finite"),
        ({"properties": {"a": 2**63}}, "64 bits"),
        ({"properties": {"a": -(2**63) - 1}}, "64 bits"),
        ({"properties": {"a": nested(100)}}, "100 levels"),
        ({"properties": {"a": "x" * 40_000}}, "32768 bytes"),
        ({"user_id": "x" * 201}, "user_id: String should have at most 200 characters"),
        ({"user_id": 2**63}, "user_id"),
        ({"deal": {"id": 1, "currency": "XXY"}}, "currency"),
        ({"deal": {"id": 1, "closed_on": "2026-13-01"}}, "closed_on"),
    ],
)
def test_a_bad_event_is_refused_alone(changes, words):
    body = read({"events": [GOOD, {**GOOD, **changes}, GOOD]})

    assert [index for index, _ in body.events] == [0, 2]
    [refusal] = body.refusals
    assert refusal.index == 1
    assert words in refusal.reason


@pytest.mark.parametrize(
    ("text", "micros"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1970-01-01T01:00:00+01:00", 0),
        ("1970-01-01t00:00:01.5z", 1_500_000),
        ("1970-01-01T00:00:00.123456789Z", 123_456),
        ("1970-01-01T00:00:60Z", 59_999_999),
        ("1970-01-01 00:00:00Z", 0),
    ],
)
def test_times(text, micros):
    [(_, event)] = read({**GOOD, "occurred_at": text}).events
    assert event.occurred_at == micros


def test_what_may_be_stored_is_kept_as_it_is():
    properties = {"ünïcode 😀": ["</script>", "=1+1", None, True, 1.5, 2**63 - 1, -(2**63)], "deep": nested(97)}
    [(_, event)] = read({**GOOD, "properties": properties}).events
    assert json.loads(event.properties) == properties


@pytest.mark.parametrize(
    "body",
    [b"", b"nope", b"[]", b"5", b'"text"', b"null", b"\xff\xfe", b'{"events": 5}', b'{"events": null}', b'{"type": "visit"', b"[" * 100_000],
)
def test_what_is_no_event_is_a_bad_request(body):
    with pytest.raises(BadRequest):
        read(body)


@pytest.mark.parametrize("sent_at", [5, "soon", "9999-01-01T00:00:00Z"])
def test_a_bad_sent_at_is_a_bad_request(sent_at):
    with pytest.raises(BadRequest, match="sent_at"):
        read({"events": [GOOD], "sent_at": sent_at})


def test_a_deeply_nested_event_is_refused_and_its_neighbour_kept():
    body = read(b'{"events": [{"type": "visit", "x": ' + b"[" * 500 + b"]" * 500 + b'}, {"type": "visit"}]}')
    assert [index for index, _ in body.events] == [1]


def test_one_event_and_its_envelope():
    body = read({**GOOD, "key": "k", "sent_at": "1970-01-01T00:00:01Z"})
    assert (body.key, body.sent_at, body.raw(0)) == ("k", 1_000_000, GOOD)


def test_one_event_with_events_of_its_own_is_shown_as_sent():
    body = read(b'{"type": "touch", "\\u0065vents": []}')
    assert (len(body.events), body.raw(0)) == (1, {"type": "touch", "events": []})


@pytest.mark.parametrize("is_bad", [False, True])
def test_a_batch_shows_its_events_as_sent(is_bad):
    sent = [{**GOOD, "extra": 1}, {"type": 5} if is_bad else GOOD]
    assert read({"events": sent}).raw(1) == sent[1]


def test_sizes():
    large = {**GOOD, "properties": {"x": "y" * 40_000}}
    with pytest.raises(TooLarge):
        read(large)
    with pytest.raises(TooLarge):
        read({**large, "type": 5})
    assert [refusal.index for refusal in read({"events": [GOOD, large]}).refusals] == [1]
    with pytest.raises(TooLarge, match="2 events"):
        read({"events": [GOOD] * 3}, Limits(batch_events=2))
    with pytest.raises(TooLarge, match="2 events"):
        read({"events": [5] * 3}, Limits(batch_events=2))


def test_a_compressed_body_is_bounded_while_it_is_inflated():
    assert inflate(gzip.compress(b"x" * 100), "gzip", 100) == b"x" * 100
    with pytest.raises(TooLarge):
        inflate(gzip.compress(b"x" * 101), "gzip", 100)
    with pytest.raises(TooLarge):
        inflate(gzip.compress(b"\0" * 50_000_000), "gzip", 100)
    with pytest.raises(TooLarge):
        inflate(b"x" * 101, "", 100)


@pytest.mark.parametrize(("body", "encoding"), [(b"plain", "gzip"), (gzip.compress(b"x" * 50, mtime=0)[:-9], "gzip"), (zlib.compress(b"x"), "gzip"), (b"x", "br")])
def test_a_body_that_is_not_what_it_says_is_a_bad_request(body, encoding):
    with pytest.raises(BadRequest):
        inflate(body, encoding, 100)


def test_a_number_of_five_thousand_digits_costs_only_its_own_event():
    body = read(b'{"events": [{"type": "visit", "sequence": ' + b"9" * 5_000 + b'}, {"type": "visit"}]}')
    assert [index for index, _ in body.events] == [1]
