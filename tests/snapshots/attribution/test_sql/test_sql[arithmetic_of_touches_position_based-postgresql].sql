WITH signs AS
(SELECT 1::INTEGER AS sign UNION ALL SELECT -1::INTEGER AS anon_1),
sides AS
(SELECT row_number() OVER () AS side, ledger_entries.kind AS kind, ledger_entries.holder_id AS holder_id, ledger_entries.fact_id AS fact_id, ledger_entries.entry AS entry, signs.sign AS sign, ledger_entries.counted_on AS counted_on, conversions.occurred_at AS occurred_at, conversions.lead_at AS lead_at, conversions.opportunity_at AS opportunity_at, conversions.has_people AS has_people, conversions.currency AS currency, conversions.currency IS NULL OR conversions.currency = :currency::VARCHAR AS is_convertible, CASE WHEN (signs.sign = 1::INTEGER) THEN ledger_entries.counts * 1000000::BIGINT ELSE 0::INTEGER END AS millionths, abs(CASE WHEN (signs.sign = 1::INTEGER) THEN ledger_entries.after_minor ELSE ledger_entries.before_minor END) AS magnitude, signs.sign * CASE WHEN (CASE WHEN (signs.sign = 1::INTEGER) THEN ledger_entries.after_minor ELSE ledger_entries.before_minor END < 0::BIGINT) THEN -1::INTEGER ELSE 1::INTEGER END AS direction
FROM ledger_entries
JOIN conversions ON conversions.site_id = :site_id::VARCHAR COLLATE "C" AND conversions.kind = ledger_entries.kind AND conversions.holder_id = ledger_entries.holder_id AND conversions.fact_id = ledger_entries.fact_id
JOIN signs ON signs.sign = 1::INTEGER OR ledger_entries.before_minor != 0::BIGINT
WHERE ledger_entries.site_id = :site_id::VARCHAR COLLATE "C" AND ledger_entries.kind = :kind::VARCHAR COLLATE "C" AND ledger_entries.holder_id = :holder_id::VARCHAR COLLATE "C" AND ledger_entries.fact_id = :fact_id::VARCHAR COLLATE "C"),
reached AS
(SELECT sides.side AS side, sides.millionths AS millionths, CASE WHEN sides.is_convertible THEN sides.magnitude ELSE 0::INTEGER END AS magnitude, sides.direction AS direction, journey_touches.position AS position, journey_touches.touch_visitor_id AS touch_visitor_id, journey_touches.touch_event_id AS touch_event_id, min(journey_touches.position) OVER (PARTITION BY sides.side) AS first_position, max(journey_touches.position) OVER (PARTITION BY sides.side) AS last_position, max(CASE WHEN (journey_touches.occurred_at <= sides.lead_at) THEN journey_touches.position END) OVER (PARTITION BY sides.side) AS lead_position, max(CASE WHEN (journey_touches.occurred_at <= sides.opportunity_at) THEN journey_touches.position END) OVER (PARTITION BY sides.side) AS opportunity_position, count(*) OVER (PARTITION BY sides.side) AS length
FROM sides
JOIN journey_touches ON journey_touches.site_id = :site_id::VARCHAR COLLATE "C" AND journey_touches.kind = sides.kind AND journey_touches.holder_id = sides.holder_id AND journey_touches.fact_id = sides.fact_id
WHERE journey_touches.occurred_at >= sides.occurred_at - :lookback::BIGINT),
weighted AS
(SELECT reached.side AS side, reached.position AS position, reached.direction AS direction, reached.touch_visitor_id AS touch_visitor_id, reached.touch_event_id AS touch_event_id, reached.millionths AS millionths, reached.first_position AS first_position, reached.lead_position AS lead_position, reached.opportunity_position AS opportunity_position, reached.last_position AS last_position, CASE WHEN (CASE WHEN (position = first_position) THEN 2::BIGINT ELSE 0::INTEGER END + CASE WHEN (position = last_position) THEN 2::BIGINT ELSE 0::INTEGER END > 0::BIGINT) THEN (CASE WHEN (position = first_position) THEN 2::BIGINT ELSE 0::INTEGER END + CASE WHEN (position = last_position) THEN 2::BIGINT ELSE 0::INTEGER END) * greatest(length - (CASE WHEN (first_position IS NOT NULL) THEN 1::INTEGER ELSE 0::INTEGER END + CASE WHEN (last_position IS NOT NULL AND last_position IS DISTINCT
FROM first_position) THEN 1::INTEGER ELSE 0::INTEGER END), 1::BIGINT) ELSE 1::BIGINT END AS weight
FROM reached),
totalled AS
(SELECT weighted.side AS side, weighted.position AS position, weighted.direction AS direction, weighted.touch_visitor_id AS touch_visitor_id, weighted.touch_event_id AS touch_event_id, weighted.millionths AS millionths, weighted.first_position AS first_position, weighted.lead_position AS lead_position, weighted.opportunity_position AS opportunity_position, weighted.last_position AS last_position, weighted.weight AS weight, CAST(sum(weighted.weight) OVER (PARTITION BY weighted.side) AS BIGINT) AS total
FROM weighted
WHERE weighted.weight > 0::BIGINT),
shared AS
(SELECT totalled.side AS side, totalled.position AS position, totalled.total AS total, totalled.millionths AS millionths, (totalled.millionths / totalled.total) * totalled.weight + ((totalled.millionths % totalled.total) * totalled.weight) / totalled.total AS millionths_share, ((totalled.millionths % totalled.total) * totalled.weight) % totalled.total AS millionths_claim
FROM totalled),
ranked AS
(SELECT shared.side AS side, shared.position AS position, shared.total AS total, shared.millionths_share AS millionths_share, shared.millionths_claim AS millionths_claim, shared.millionths - CAST(sum(shared.millionths_share) OVER (PARTITION BY shared.side) AS BIGINT) AS millionths_left, row_number() OVER (PARTITION BY shared.side
ORDER BY shared.millionths_claim DESC, shared.position) AS millionths_rank
FROM shared)
 SELECT sides.entry, sides.sign, sides.direction, weighted.touch_visitor_id, weighted.touch_event_id, weighted.position, weighted.weight, ranked.total, weighted.millionths, coalesce(ranked.millionths_share, 0::INTEGER) AS millionths_share, coalesce(ranked.millionths_claim, 0::INTEGER) AS millionths_claim, CASE WHEN (ranked.side IS NULL) THEN 0::INTEGER ELSE CASE WHEN (ranked.millionths_rank <= ranked.millionths_left) THEN 1::INTEGER ELSE 0::INTEGER END END AS millionths_unit, 0::BIGINT AS magnitude, 0::BIGINT AS magnitude_share, 0::BIGINT AS magnitude_claim, 0::BIGINT AS magnitude_unit, coalesce(weighted.position = weighted.first_position, False) AS holds_first, coalesce(weighted.position = weighted.lead_position, False) AS holds_lead, coalesce(weighted.position = weighted.opportunity_position, False) AS holds_opportunity, coalesce(weighted.position = weighted.last_position, False) AS holds_last
FROM weighted
JOIN sides ON sides.side = weighted.side
LEFT OUTER JOIN ranked ON ranked.side = weighted.side AND ranked.position = weighted.position
ORDER BY sides.entry, sides.sign DESC, weighted.position
