WITH signs AS
(SELECT 1 AS sign UNION ALL SELECT -1 AS anon_1),
sides AS
(SELECT row_number() OVER () AS side, ledger_entries.kind AS kind, ledger_entries.holder_id AS holder_id, ledger_entries.fact_id AS fact_id, conversions.occurred_at AS occurred_at, conversions.lead_at AS lead_at, conversions.opportunity_at AS opportunity_at, conversions.has_people AS has_people, conversions.currency AS currency, conversions.currency IS NULL OR conversions.currency = :currency AS is_convertible, CASE WHEN (signs.sign = 1) THEN ledger_entries.counts * 1000000 ELSE 0 END AS millionths, abs(CASE WHEN (signs.sign = 1) THEN ledger_entries.after_minor ELSE ledger_entries.before_minor END) AS magnitude, signs.sign * CASE WHEN (CASE WHEN (signs.sign = 1) THEN ledger_entries.after_minor ELSE ledger_entries.before_minor END < 0) THEN -1 ELSE 1 END AS direction
FROM ledger_entries
JOIN conversions ON conversions.site_id = :site_id AND conversions.kind = ledger_entries.kind AND conversions.holder_id = ledger_entries.holder_id AND conversions.fact_id = ledger_entries.fact_id
JOIN signs ON signs.sign = 1 OR ledger_entries.before_minor != 0
WHERE ledger_entries.site_id = :site_id AND ledger_entries.kind = :kind AND ledger_entries.holder_id = :holder_id AND ledger_entries.fact_id = :fact_id),
reached AS
(SELECT sides.side AS side, sides.millionths AS millionths, CASE WHEN sides.is_convertible THEN sides.magnitude ELSE 0 END AS magnitude, sides.direction AS direction, journey_touches.position AS position, journey_touches.touch_visitor_id AS touch_visitor_id, journey_touches.touch_event_id AS touch_event_id, min(journey_touches.position) OVER (PARTITION BY sides.side) AS first_position, max(journey_touches.position) OVER (PARTITION BY sides.side) AS last_position, count(*) OVER (PARTITION BY sides.side) AS length
FROM sides
JOIN journey_touches ON journey_touches.site_id = :site_id AND journey_touches.kind = sides.kind AND journey_touches.holder_id = sides.holder_id AND journey_touches.fact_id = sides.fact_id
WHERE journey_touches.occurred_at >= sides.occurred_at - :lookback),
weighted AS
(SELECT reached.side AS side, reached.position AS position, reached.direction AS direction, reached.touch_visitor_id AS touch_visitor_id, reached.touch_event_id AS touch_event_id, reached.millionths AS millionths, CASE WHEN (CASE WHEN (position = first_position) THEN 2 ELSE 0 END + CASE WHEN (position = last_position) THEN 2 ELSE 0 END > 0) THEN (CASE WHEN (position = first_position) THEN 2 ELSE 0 END + CASE WHEN (position = last_position) THEN 2 ELSE 0 END) * max(length - (CASE WHEN (first_position IS NOT NULL) THEN 1 ELSE 0 END + CASE WHEN (last_position IS NOT NULL AND last_position IS NOT first_position) THEN 1 ELSE 0 END), 1) ELSE 1 END AS weight
FROM reached),
totalled AS
(SELECT weighted.side AS side, weighted.position AS position, weighted.direction AS direction, weighted.touch_visitor_id AS touch_visitor_id, weighted.touch_event_id AS touch_event_id, weighted.millionths AS millionths, weighted.weight AS weight, CAST(sum(weighted.weight) OVER (PARTITION BY weighted.side) AS BIGINT) AS total
FROM weighted
WHERE weighted.weight > 0),
shared AS
(SELECT totalled.side AS side, totalled.direction AS direction, totalled.position AS position, totalled.touch_visitor_id AS touch_visitor_id, totalled.touch_event_id AS touch_event_id, totalled.millionths AS millionths, (totalled.millionths / totalled.total) * totalled.weight + ((totalled.millionths % totalled.total) * totalled.weight) / totalled.total AS millionths_share, ((totalled.millionths % totalled.total) * totalled.weight) % totalled.total AS millionths_claim
FROM totalled),
ranked AS
(SELECT shared.side AS side, shared.direction AS direction, shared.position AS position, shared.touch_visitor_id AS touch_visitor_id, shared.touch_event_id AS touch_event_id, shared.millionths_share AS millionths_share, shared.millionths - CAST(sum(shared.millionths_share) OVER (PARTITION BY shared.side) AS BIGINT) AS millionths_left, row_number() OVER (PARTITION BY shared.side
ORDER BY shared.millionths_claim DESC, shared.position) AS millionths_rank
FROM shared),
split AS
(SELECT ranked.side AS side, ranked.direction AS direction, ranked.position AS position, ranked.touch_visitor_id AS touch_visitor_id, ranked.touch_event_id AS touch_event_id, ranked.millionths_share + CASE WHEN (ranked.millionths_rank <= ranked.millionths_left) THEN 1 ELSE 0 END AS millionths
FROM ranked),
credit AS
(SELECT split.side AS side, split.touch_visitor_id AS touch_visitor_id, split.touch_event_id AS touch_event_id, split.millionths AS millionths, 0 AS minor
FROM split)
 SELECT credit.touch_visitor_id, credit.touch_event_id, CAST(sum(credit.millionths) AS BIGINT) AS millionths, CAST(sum(credit.minor) AS BIGINT) AS minor
FROM credit
GROUP BY credit.touch_visitor_id, credit.touch_event_id
