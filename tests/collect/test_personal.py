"""What looks personal is taken out of addresses, and the rest stays as it was sent."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from app import tables
from app.collect.origins import arrival
from app.collect.personal import PERSONAL, folded, personal_names, without_personal, without_personal_in
from app.sites.settings import SiteSettings
from tests.collect.bodies import as_body
from tests.rows import assert_rows
from tests.world import SECRET_KEY, WRITE_KEY

AGENT = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"}
ADMIN = {"Authorization": f"Bearer {SECRET_KEY}"}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        # By name.
        ("https://a.example/?email=x&utm_source=news", "https://a.example/?utm_source=news"),
        ("/x?a=1&E-Mail=x&b=2", "/x?a=1&b=2"),
        ("/x?firstName=Ada&last_name=L&first-name=Ada", "/x"),
        ("/x?user%5Bemail%5D=x&user[phone]=1&user[plan]=pro&tags[]=a", "/x?user[plan]=pro&tags[]=a"),
        ("/x?access_token=1&PHPSESSID=2&card_number=4&iban=DE&dob=1990", "/x"),
        ("/x?token", "/x"),
        ("/x?password[]=1&email[0]=x&user[phone][1]=1&user[plan][]=pro", "/x?user[plan][]=pro"),
        # Of whom the address says that they sign in.
        ("https://u:p@a.example/x?a=1", "https://a.example/x?a=1"),
        ("//u@a.example", "//a.example"),
        ("/x?_loop=abc.def&page=2", "/x?page=2"),
        # By value.
        ("/x?q=ada@example.com", "/x"),
        ("/x?q=ada%40example.com&a=b", "/x?a=b"),
        ("/x?q=ada%2540example.co.uk", "/x"),
        ("/x?q=Ada+%3Cada%40example.com%3E", "/x"),
        ("/x?ada@example.com", "/x"),
        ("/x?next=https%3A%2F%2Fb.example%2F%3Fto%3Dada%40example.com", "/x"),
        ("/x?q=%C3%A4da@b%C3%BCcher.example", "/x"),
        ("/x?call=%2B49+151+23456789&a=b", "/x?a=b"),
        ("/x?call=+1(555)123-4567", "/x"),
        ("/x?utm_content=ada@example.com&utm_source=s", "/x?utm_source=s"),
        # In the fragment.
        ("/x?a=1#/route?email=x&tab=2", "/x?a=1#/route?tab=2"),
        ("/x#access_token=1&token_type=bearer", "/x#token_type=bearer"),
        ("/x#access_token=1", "/x"),
        ("/x#access_token=1&state=/in?tab=2", "/x#state=/in?tab=2"),
        ("/x?email=1#pricing", "/x#pricing"),
    ],
)
def test_what_goes(before, after):
    assert without_personal(before) == after
    assert without_personal(after) == after


@pytest.mark.parametrize(
    "address",
    [
        "https://a.example/", "/x?", "/x?a=%41&&b=c+d&=e", "/x?q=@ada", "/x?at=@52.5,13.4,15z", "/x?q=a%20@%20b.example", "/x?size=2@x",
        "/x?gclid=abc&utm_term=%2Bcrm+%2Bsoftware&msclkid=1", "/x?order=12345678&zip=10115", "/x?n=+1234567", "/x?p=%ff%zz", "/x#top", "/x#a=b",
        "/email?emails=1&named=2&tokens=3&_loops=4&loop=5", "/x?q=1%2B2%2B3", "https://a.example/ada@example.com",
    ],
)  # fmt: skip
def test_what_stays(address):
    assert without_personal(address) == address


@given(st.text(alphabet="a@.+%24?&=#[]_é \0", max_size=60))
def test_any_text_is_read_and_nothing_is_left_for_a_second_time(text):
    once = without_personal(text)
    assert without_personal(once) == once
    assert len(once) <= len(text)


def test_a_site_adds_names_and_takes_some_off():
    names = personal_names(SiteSettings(stripped_parameters=["Customer-No"], kept_parameters=["name", "_loop"]))
    assert without_personal("/x?customer_no=7&name=blue&phone=1&_loop=t&q=a@b.example&name=a@b.example", names) == "/x?name=blue"
    assert personal_names(SiteSettings()) is PERSONAL
    assert all(name == folded(name) for name in PERSONAL)


def test_of_json_it_is_taken_where_addresses_are():
    sent = {"url": "/x?email=1", "q": "/x?email=1", "context": [{"page": {"referrer": "/y?token=1&a=b", "search": "?email=1"}}], "path": 7}
    assert without_personal_in(sent, PERSONAL) == {"url": "/x", "q": "/x?email=1", "context": [{"page": {"referrer": "/y?a=b", "search": ""}}], "path": 7}
    nested = []
    for _ in range(5_000):
        nested = [nested]
    assert without_personal_in(nested, PERSONAL)


def test_an_arrival_is_read_without_it():
    url = "https://u:p@a.example/x?utm_source=news&utm_content=ada%40example.com&gclid=a@b.example&email=e"
    found = arrival(url, "https://u:p@b.example/in?user=a@b.example&q=x")
    assert found.url == "https://a.example/x?utm_source=news"
    assert (found.origin.source, found.origin.content, found.origin.click_id_kind, found.click_id) == ("news", "", "", None)
    assert (found.referrer, found.origin.referring_host) == ("https://b.example/in?q=x", "b.example")
    kept = arrival(url, None, frozenset())
    assert kept.url == "https://a.example/x?utm_source=news&email=e"


@pytest.mark.anyio
async def test_none_of_it_is_stored_and_a_form_still_names_its_human(client, database):
    settings = {"stripped_parameters": ["customer"]}
    assert (await client.patch("/v1/sites/default", json=settings, headers=ADMIN)).status_code == 200
    page = "https://a.example/x?a=1&customer=7&utm_campaign=ada@example.com"
    form = {"type": "form_submit", "id": "1", "visitor_id": "v", "url": page, "referrer": "https://b.example/?mail=x#t=1", "email": "ada@example.com"}
    unknown = {"type": "x" * 65, "visitor_id": "v", "url": page, "referrer": page}
    answer = await client.post("/v1/events", params={"key": WRITE_KEY}, content=as_body({"events": [form, unknown]}), headers=AGENT)
    assert answer.json()["accepted"] == 1

    await assert_rows(database, tables.events, ["url", "referrer", "has_email"], [["https://a.example/x?a=1", "https://b.example/#t=1", True]])
    await assert_rows(database, select(tables.origins).where(tables.origins.c.campaign != ""), ["campaign"], [])
    await assert_rows(database, tables.contacts, ["value"], [["ada@example.com"]])
    async with database.read() as connection:
        [body] = await connection.scalars(select(tables.quarantine.c.body))
    assert "ada" not in body
    assert "customer" not in body
    assert body.count("https://a.example/x?a=1") == 2
