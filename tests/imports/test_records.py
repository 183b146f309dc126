"""Files of events: what each line becomes."""

from __future__ import annotations

import io
import json

import pytest

from app.imports.records import LONGEST_LINE, UnreadableFile, csv_rows, json_lines

VISIT = {"type": "visit", "visitor_id": "v1", "occurred_at": "2026-03-02T09:00:00Z"}


def test_json_lines() -> None:
    lines = [json.dumps({**VISIT, "id": "given"}), "", json.dumps(VISIT), "not json", "[]", '{"a": NaN}', json.dumps({"type": "visit"})]
    records = list(json_lines(io.BytesIO("\n".join(lines).encode())))
    assert [(record.line, record.problem.partition(":")[0]) for record in records] == [
        (1, ""),
        (3, ""),
        (4, "not JSON"),
        (5, "not a JSON object"),
        (6, "not JSON"),
        (7, "occurred_at is missing"),
    ]
    assert records[0].event == {**VISIT, "id": "given"}


def test_an_id_follows_from_the_content_alone() -> None:
    turned = dict(reversed(VISIT.items()))
    other = {**VISIT, "visitor_id": "v2"}
    file = "\n".join(json.dumps(event) for event in (VISIT, turned, other))
    first, second, third = (record.event["id"] for record in json_lines(io.BytesIO(file.encode())) if record.event)
    assert first == second != third


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        (b"[" * 100_000, "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b'{"a":"' + b"x" * LONGEST_LINE + b'"}', "longer than"),
    ],
)
def test_a_bad_line_costs_only_itself(raw: bytes, problem: str) -> None:
    file = io.BytesIO(b"\xef\xbb\xbf" + json.dumps(VISIT).encode() + b"\n" + raw + b"\n" + json.dumps(VISIT).encode())
    before, bad, after = json_lines(file)
    assert before.event == after.event
    assert bad.event is None
    assert bad.problem.startswith(problem)


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_csv(separator: str) -> None:
    columns = ["id", "type", "occurred_at", "sequence", "deal.id", "deal.company.name", "deal.contacts", "properties.plan.name"]
    cells = ["e1", "deal_closed", "2026-03-02T09:00:00Z", "7", "d1", "Initech", "a@example.com, b@example.com", "gold"]
    cells[6] = '"a@example.com;b@example.com"'
    file = separator.join(columns) + "\r\n" + separator.join(cells) + "\r\n"
    [record] = csv_rows(io.BytesIO(file.encode("utf-8-sig")))
    assert record.event == {
        "id": "e1",
        "type": "deal_closed",
        "occurred_at": "2026-03-02T09:00:00Z",
        "sequence": 7,
        "deal": {"id": "d1", "company": {"name": "Initech"}, "contacts": ["a@example.com", "b@example.com"]},
        "properties": {"plan.name": "gold"},
    }


def test_bad_rows_of_csv() -> None:
    file = b"\n".join(
        [
            b"type,occurred_at,visitor_id,sequence",
            b"visit,2026-03-02T09:00:00Z,v1,",
            b"visit,2026-03-02T09:00:00Z,v1",
            b"visit,2026-03-02T09:00:00Z,\xff,",
            b"visit,,v1,",
            b"visit,2026-03-02T09:00:00Z,v1,many",
            b"",
            b'visit,2026-03-02T09:00:00Z,"v\n2",',
        ]
    )
    assert [(record.line, record.problem.partition(":")[0]) for record in csv_rows(io.BytesIO(file))] == [
        (2, ""),
        (3, "3 cells, where the header has 4"),
        (4, "not UTF-8"),
        (5, "occurred_at is missing"),
        (6, "sequence"),
        (9, ""),
    ]


@pytest.mark.parametrize(
    ("header", "said"), [("type,occurred_at,utm_source", "utm_source"), ("type,visitor_id", "occurred_at"), ("", "unknown columns")]
)
def test_a_table_of_something_else_is_refused_as_a_whole(header: str, said: str) -> None:
    with pytest.raises(UnreadableFile, match=said):
        list(csv_rows(io.BytesIO(header.encode())))
