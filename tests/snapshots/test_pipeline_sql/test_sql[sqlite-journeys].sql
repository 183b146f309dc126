DELETE
FROM dirty_journeys
WHERE dirty_journeys.site_id = :site_id;

DELETE
FROM staged_journeys
WHERE staged_journeys.site_id = :site_id;

DELETE
FROM staged_journey_touches
WHERE staged_journey_touches.site_id = :site_id;

INSERT INTO staged_journeys (site_id, kind, holder_id, fact_id, first_touched_at, touches_left_out, is_gone)
SELECT :site_id AS site_id, lengths.kind, lengths.holder_id, lengths.fact_id, lengths.first_touched_at, CASE WHEN (lengths.length - 1000 > 0) THEN lengths.length - 1000 ELSE 0 END AS touches_left_out, 0 AS is_gone
FROM (SELECT conversions.kind AS kind, conversions.holder_id AS holder_id, conversions.fact_id AS fact_id, min(CASE WHEN (visitor_spans.first_touched_at <= conversions.occurred_at) THEN visitor_spans.first_touched_at END) AS first_touched_at, CAST(sum((SELECT count(*) AS count_1
FROM touches
WHERE touches.site_id = :site_id AND touches.visitor_id = visitor_spans.visitor_id AND touches.occurred_at >= max(visitor_spans.starts_at, conversions.occurred_at - 63072000000000) AND touches.occurred_at <= min(visitor_spans.ends_at - 1, conversions.occurred_at))) AS BIGINT) AS length
FROM dirty_journeys
JOIN conversions ON conversions.site_id = :site_id AND conversions.kind = dirty_journeys.kind AND conversions.holder_id = dirty_journeys.holder_id AND conversions.fact_id = dirty_journeys.fact_id
LEFT OUTER JOIN conversion_people ON conversion_people.site_id = :site_id AND conversion_people.kind = conversions.kind AND conversion_people.holder_id = conversions.holder_id AND conversion_people.fact_id = conversions.fact_id
LEFT OUTER JOIN visitor_spans ON visitor_spans.site_id = :site_id AND visitor_spans.person_id = conversion_people.person_id AND visitor_spans.starts_at <= conversions.occurred_at
WHERE dirty_journeys.site_id = :site_id
GROUP BY conversions.kind, conversions.holder_id, conversions.fact_id) AS lengths;

WITH touches_numbered AS
(SELECT conversions.kind AS kind, conversions.holder_id AS holder_id, conversions.fact_id AS fact_id, touches.visitor_id AS visitor_id, touches.event_id AS event_id, touches.occurred_at AS occurred_at, touches.origin_id AS origin_id, row_number() OVER (PARTITION BY conversions.kind, conversions.holder_id, conversions.fact_id
ORDER BY touches.occurred_at, touches.sequence, touches.type_rank, touches.event_id, touches.visitor_id) AS number, count(*) OVER (PARTITION BY conversions.kind, conversions.holder_id, conversions.fact_id) AS of_journey
FROM dirty_journeys
JOIN conversions ON conversions.site_id = :site_id AND conversions.kind = dirty_journeys.kind AND conversions.holder_id = dirty_journeys.holder_id AND conversions.fact_id = dirty_journeys.fact_id
LEFT OUTER JOIN conversion_people ON conversion_people.site_id = :site_id AND conversion_people.kind = conversions.kind AND conversion_people.holder_id = conversions.holder_id AND conversion_people.fact_id = conversions.fact_id
LEFT OUTER JOIN visitor_spans ON visitor_spans.site_id = :site_id AND visitor_spans.person_id = conversion_people.person_id AND visitor_spans.starts_at <= conversions.occurred_at
JOIN touches ON touches.site_id = :site_id AND touches.visitor_id = visitor_spans.visitor_id AND touches.occurred_at >= max(visitor_spans.starts_at, conversions.occurred_at - 63072000000000) AND touches.occurred_at <= min(visitor_spans.ends_at - 1, conversions.occurred_at)
WHERE dirty_journeys.site_id = :site_id)
 INSERT INTO staged_journey_touches (site_id, kind, holder_id, fact_id, touch_visitor_id, touch_event_id, position, occurred_at, origin_id, is_gone)
SELECT :site_id AS site_id, touches_numbered.kind, touches_numbered.holder_id, touches_numbered.fact_id, touches_numbered.visitor_id AS touch_visitor_id, touches_numbered.event_id AS touch_event_id, CASE WHEN (touches_numbered.number > 1 AND touches_numbered.of_journey - 1000 > 0) THEN touches_numbered.number - (touches_numbered.of_journey - 1000) ELSE touches_numbered.number END AS position, touches_numbered.occurred_at, touches_numbered.origin_id, 0 AS is_gone
FROM touches_numbered
WHERE touches_numbered.number = 1 OR touches_numbered.number > (touches_numbered.of_journey - 1000) + 1;

INSERT INTO staged_journeys (site_id, kind, holder_id, fact_id, is_gone)
SELECT journeys.site_id, journeys.kind, journeys.holder_id, journeys.fact_id, True AS anon_1
FROM journeys
WHERE journeys.site_id = :site_id AND (journeys.kind, journeys.holder_id, journeys.fact_id) IN (SELECT dirty_journeys.kind, dirty_journeys.holder_id, dirty_journeys.fact_id
FROM dirty_journeys
WHERE dirty_journeys.site_id = :site_id) AND NOT (EXISTS (SELECT *
FROM staged_journeys
WHERE staged_journeys.site_id = journeys.site_id AND staged_journeys.kind = journeys.kind AND staged_journeys.holder_id = journeys.holder_id AND staged_journeys.fact_id = journeys.fact_id));

DELETE
FROM staged_journeys
WHERE staged_journeys.site_id = :site_id AND staged_journeys.is_gone IS 0 AND (EXISTS (SELECT *
FROM journeys
WHERE journeys.site_id = staged_journeys.site_id AND journeys.kind = staged_journeys.kind AND journeys.holder_id = staged_journeys.holder_id AND journeys.fact_id = staged_journeys.fact_id AND journeys.first_touched_at IS staged_journeys.first_touched_at AND journeys.touches_left_out IS staged_journeys.touches_left_out));

INSERT INTO staged_journey_touches (site_id, kind, holder_id, fact_id, touch_visitor_id, touch_event_id, is_gone)
SELECT journey_touches.site_id, journey_touches.kind, journey_touches.holder_id, journey_touches.fact_id, journey_touches.touch_visitor_id, journey_touches.touch_event_id, True AS anon_1
FROM journey_touches
WHERE journey_touches.site_id = :site_id AND (journey_touches.kind, journey_touches.holder_id, journey_touches.fact_id) IN (SELECT dirty_journeys.kind, dirty_journeys.holder_id, dirty_journeys.fact_id
FROM dirty_journeys
WHERE dirty_journeys.site_id = :site_id) AND NOT (EXISTS (SELECT *
FROM staged_journey_touches
WHERE staged_journey_touches.site_id = journey_touches.site_id AND staged_journey_touches.kind = journey_touches.kind AND staged_journey_touches.holder_id = journey_touches.holder_id AND staged_journey_touches.fact_id = journey_touches.fact_id AND staged_journey_touches.touch_visitor_id = journey_touches.touch_visitor_id AND staged_journey_touches.touch_event_id = journey_touches.touch_event_id));

DELETE
FROM staged_journey_touches
WHERE staged_journey_touches.site_id = :site_id AND staged_journey_touches.is_gone IS 0 AND (EXISTS (SELECT *
FROM journey_touches
WHERE journey_touches.site_id = staged_journey_touches.site_id AND journey_touches.kind = staged_journey_touches.kind AND journey_touches.holder_id = staged_journey_touches.holder_id AND journey_touches.fact_id = staged_journey_touches.fact_id AND journey_touches.touch_visitor_id = staged_journey_touches.touch_visitor_id AND journey_touches.touch_event_id = staged_journey_touches.touch_event_id AND journey_touches.position IS staged_journey_touches.position AND journey_touches.occurred_at IS staged_journey_touches.occurred_at AND journey_touches.origin_id IS staged_journey_touches.origin_id));

DELETE
FROM journeys
WHERE journeys.site_id = :site_id AND (journeys.site_id, journeys.kind, journeys.holder_id, journeys.fact_id) IN (SELECT staged_journeys.site_id, staged_journeys.kind, staged_journeys.holder_id, staged_journeys.fact_id
FROM staged_journeys
WHERE staged_journeys.site_id = :site_id AND staged_journeys.is_gone IS 1);

INSERT INTO journeys (site_id, kind, holder_id, fact_id, first_touched_at, touches_left_out)
SELECT staged_journeys.site_id, staged_journeys.kind, staged_journeys.holder_id, staged_journeys.fact_id, staged_journeys.first_touched_at, staged_journeys.touches_left_out
FROM staged_journeys
WHERE staged_journeys.site_id = :site_id AND staged_journeys.is_gone IS 0 ON CONFLICT (site_id, kind, holder_id, fact_id) DO UPDATE SET first_touched_at = excluded.first_touched_at, touches_left_out = excluded.touches_left_out;

DELETE
FROM journey_touches
WHERE journey_touches.site_id = :site_id AND (journey_touches.site_id, journey_touches.kind, journey_touches.holder_id, journey_touches.fact_id, journey_touches.touch_visitor_id, journey_touches.touch_event_id) IN (SELECT staged_journey_touches.site_id, staged_journey_touches.kind, staged_journey_touches.holder_id, staged_journey_touches.fact_id, staged_journey_touches.touch_visitor_id, staged_journey_touches.touch_event_id
FROM staged_journey_touches
WHERE staged_journey_touches.site_id = :site_id AND staged_journey_touches.is_gone IS 1);

INSERT INTO journey_touches (site_id, kind, holder_id, fact_id, touch_visitor_id, touch_event_id, position, occurred_at, origin_id)
SELECT staged_journey_touches.site_id, staged_journey_touches.kind, staged_journey_touches.holder_id, staged_journey_touches.fact_id, staged_journey_touches.touch_visitor_id, staged_journey_touches.touch_event_id, staged_journey_touches.position, staged_journey_touches.occurred_at, staged_journey_touches.origin_id
FROM staged_journey_touches
WHERE staged_journey_touches.site_id = :site_id AND staged_journey_touches.is_gone IS 0 ON CONFLICT (site_id, kind, holder_id, fact_id, touch_visitor_id, touch_event_id) DO UPDATE SET position = excluded.position, occurred_at = excluded.occurred_at, origin_id = excluded.origin_id;
