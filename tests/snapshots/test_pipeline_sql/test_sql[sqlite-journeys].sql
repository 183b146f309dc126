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
(SELECT conversions.kind AS kind, conversions.holder_id AS holder_id, conversions.fact_id AS fact_id, touches.visitor_id AS visitor_id, touches.event_id AS event_id, touches.occurred_at AS occurred_at, touches.origin_id AS origin_id, touches.is_reported AS is_reported, row_number() OVER (PARTITION BY conversions.kind, conversions.holder_id, conversions.fact_id
ORDER BY touches.occurred_at, touches.sequence, touches.type_rank, touches.event_id, touches.visitor_id) AS number, count(*) OVER (PARTITION BY conversions.kind, conversions.holder_id, conversions.fact_id) AS of_journey
FROM dirty_journeys
JOIN conversions ON conversions.site_id = :site_id AND conversions.kind = dirty_journeys.kind AND conversions.holder_id = dirty_journeys.holder_id AND conversions.fact_id = dirty_journeys.fact_id
LEFT OUTER JOIN conversion_people ON conversion_people.site_id = :site_id AND conversion_people.kind = conversions.kind AND conversion_people.holder_id = conversions.holder_id AND conversion_people.fact_id = conversions.fact_id
LEFT OUTER JOIN visitor_spans ON visitor_spans.site_id = :site_id AND visitor_spans.person_id = conversion_people.person_id AND visitor_spans.starts_at <= conversions.occurred_at
JOIN touches ON touches.site_id = :site_id AND touches.visitor_id = visitor_spans.visitor_id AND touches.occurred_at >= max(visitor_spans.starts_at, conversions.occurred_at - 63072000000000) AND touches.occurred_at <= min(visitor_spans.ends_at - 1, conversions.occurred_at)
WHERE dirty_journeys.site_id = :site_id)
 INSERT INTO staged_journey_touches (site_id, kind, holder_id, fact_id, touch_visitor_id, touch_event_id, position, occurred_at, origin_id, is_reported, is_gone)
SELECT :site_id AS site_id, touches_numbered.kind, touches_numbered.holder_id, touches_numbered.fact_id, touches_numbered.visitor_id AS touch_visitor_id, touches_numbered.event_id AS touch_event_id, CASE WHEN (touches_numbered.number > 1 AND touches_numbered.of_journey - 1000 > 0) THEN touches_numbered.number - (touches_numbered.of_journey - 1000) ELSE touches_numbered.number END AS position, touches_numbered.occurred_at, touches_numbered.origin_id, touches_numbered.is_reported, 0 AS is_gone
FROM touches_numbered
WHERE touches_numbered.number = 1 OR touches_numbered.number > (touches_numbered.of_journey - 1000) + 1;

SELECT EXISTS (SELECT *
FROM journeys
WHERE journeys.site_id = :site_id AND (journeys.kind, journeys.holder_id, journeys.fact_id) IN (SELECT dirty_journeys.kind, dirty_journeys.holder_id, dirty_journeys.fact_id
FROM dirty_journeys
WHERE dirty_journeys.site_id = :site_id)) AS anon_1;

SELECT staged_journeys.is_gone, count(*) AS number
FROM staged_journeys
WHERE staged_journeys.site_id = :site_id
GROUP BY staged_journeys.is_gone;

SELECT EXISTS (SELECT *
FROM journey_touches
WHERE journey_touches.site_id = :site_id AND (journey_touches.kind, journey_touches.holder_id, journey_touches.fact_id) IN (SELECT dirty_journeys.kind, dirty_journeys.holder_id, dirty_journeys.fact_id
FROM dirty_journeys
WHERE dirty_journeys.site_id = :site_id)) AS anon_1;

SELECT staged_journey_touches.is_gone, count(*) AS number
FROM staged_journey_touches
WHERE staged_journey_touches.site_id = :site_id
GROUP BY staged_journey_touches.is_gone;

DELETE
FROM enqueued_sums
WHERE enqueued_sums.site_id = :site_id;

INSERT INTO enqueued_sums (site_id, kind, day)
SELECT DISTINCT anon_1.site_id, anon_1.kind, anon_1.day
FROM (SELECT ledger_entries.site_id AS site_id, ledger_entries.kind AS kind, ledger_entries.counted_on AS day
FROM staged_journeys
JOIN ledger_entries ON ledger_entries.site_id = :site_id AND ledger_entries.kind = staged_journeys.kind AND ledger_entries.holder_id = staged_journeys.holder_id AND ledger_entries.fact_id = staged_journeys.fact_id
WHERE staged_journeys.site_id = :site_id) AS anon_1
WHERE True = 1 ON CONFLICT (site_id, kind, day) DO NOTHING;

INSERT INTO enqueued_sums (site_id, kind, day)
SELECT DISTINCT anon_1.site_id, anon_1.kind, anon_1.day
FROM (SELECT ledger_entries.site_id AS site_id, ledger_entries.kind AS kind, ledger_entries.counted_on AS day
FROM staged_journey_touches
JOIN ledger_entries ON ledger_entries.site_id = :site_id AND ledger_entries.kind = staged_journey_touches.kind AND ledger_entries.holder_id = staged_journey_touches.holder_id AND ledger_entries.fact_id = staged_journey_touches.fact_id
WHERE staged_journey_touches.site_id = :site_id) AS anon_1
WHERE True = 1 ON CONFLICT (site_id, kind, day) DO NOTHING;

INSERT INTO sums_queue (site_id, kind, day, received_at)
SELECT enqueued_sums.site_id, enqueued_sums.kind, enqueued_sums.day, :received_at AS anon_1
FROM enqueued_sums
WHERE enqueued_sums.site_id = :site_id AND NOT (EXISTS (SELECT *
FROM sums_queue
WHERE sums_queue.site_id = enqueued_sums.site_id AND sums_queue.kind = enqueued_sums.kind AND sums_queue.day = enqueued_sums.day));
