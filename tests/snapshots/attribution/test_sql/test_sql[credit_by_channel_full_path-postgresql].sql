WITH signs AS
(SELECT 1::INTEGER AS sign UNION ALL SELECT -1::INTEGER AS anon_1),
sides AS
(SELECT row_number() OVER () AS side, ledger_entries.kind AS kind, ledger_entries.holder_id AS holder_id, ledger_entries.fact_id AS fact_id, ledger_entries.entry AS entry, signs.sign AS sign, ledger_entries.counted_on AS counted_on, conversions.occurred_at AS occurred_at, conversions.lead_at AS lead_at, conversions.opportunity_at AS opportunity_at, conversions.has_people AS has_people, conversions.currency AS currency, conversions.currency IS NULL OR conversions.currency = :currency::VARCHAR AS is_convertible, CASE WHEN (signs.sign = 1::INTEGER) THEN ledger_entries.counts * 1000000::BIGINT ELSE 0::INTEGER END AS millionths, abs(CASE WHEN (signs.sign = 1::INTEGER) THEN ledger_entries.after_minor ELSE ledger_entries.before_minor END) AS magnitude, signs.sign * CASE WHEN (CASE WHEN (signs.sign = 1::INTEGER) THEN ledger_entries.after_minor ELSE ledger_entries.before_minor END < 0::BIGINT) THEN -1::INTEGER ELSE 1::INTEGER END AS direction
FROM ledger_entries
JOIN conversions ON conversions.site_id = :site_id::VARCHAR COLLATE "C" AND conversions.kind = ledger_entries.kind AND conversions.holder_id = ledger_entries.holder_id AND conversions.fact_id = ledger_entries.fact_id
JOIN signs ON signs.sign = 1::INTEGER OR ledger_entries.before_minor != 0::BIGINT
WHERE ledger_entries.site_id = :site_id::VARCHAR COLLATE "C" AND ledger_entries.kind = :kind::VARCHAR COLLATE "C"),
reached AS
(SELECT sides.side AS side, sides.millionths AS millionths, CASE WHEN sides.is_convertible THEN sides.magnitude ELSE 0::INTEGER END AS magnitude, sides.direction AS direction, journey_touches.position AS position, journey_touches.origin_id AS origin_id, min(journey_touches.position) OVER (PARTITION BY sides.side) AS first_position, max(journey_touches.position) OVER (PARTITION BY sides.side) AS last_position, max(CASE WHEN (journey_touches.occurred_at <= sides.lead_at) THEN journey_touches.position END) OVER (PARTITION BY sides.side) AS lead_position, max(CASE WHEN (journey_touches.occurred_at <= sides.opportunity_at) THEN journey_touches.position END) OVER (PARTITION BY sides.side) AS opportunity_position, count(*) OVER (PARTITION BY sides.side) AS length
FROM sides
JOIN journey_touches ON journey_touches.site_id = :site_id::VARCHAR COLLATE "C" AND journey_touches.kind = sides.kind AND journey_touches.holder_id = sides.holder_id AND journey_touches.fact_id = sides.fact_id
WHERE journey_touches.occurred_at >= sides.occurred_at - :lookback::BIGINT AND journey_touches.occurred_at <= sides.opportunity_at),
weighted AS
(SELECT reached.side AS side, reached.position AS position, reached.direction AS direction, reached.origin_id AS origin_id, reached.millionths AS millionths, reached.magnitude AS magnitude, CASE WHEN (CASE WHEN (position = first_position) THEN 9::BIGINT ELSE 0::INTEGER END + CASE WHEN (position = lead_position) THEN 9::BIGINT ELSE 0::INTEGER END + CASE WHEN (position = opportunity_position) THEN 9::BIGINT ELSE 0::INTEGER END + CASE WHEN (position = last_position) THEN 9::BIGINT ELSE 0::INTEGER END > 0::BIGINT) THEN (CASE WHEN (position = first_position) THEN 9::BIGINT ELSE 0::INTEGER END + CASE WHEN (position = lead_position) THEN 9::BIGINT ELSE 0::INTEGER END + CASE WHEN (position = opportunity_position) THEN 9::BIGINT ELSE 0::INTEGER END + CASE WHEN (position = last_position) THEN 9::BIGINT ELSE 0::INTEGER END) * greatest(length - (CASE WHEN (first_position IS NOT NULL) THEN 1::INTEGER ELSE 0::INTEGER END + CASE WHEN (lead_position IS NOT NULL AND lead_position IS DISTINCT
FROM first_position) THEN 1::INTEGER ELSE 0::INTEGER END + CASE WHEN (opportunity_position IS NOT NULL AND opportunity_position IS DISTINCT
FROM first_position AND opportunity_position IS DISTINCT
FROM lead_position) THEN 1::INTEGER ELSE 0::INTEGER END + CASE WHEN (last_position IS NOT NULL AND last_position IS DISTINCT
FROM first_position AND last_position IS DISTINCT
FROM lead_position AND last_position IS DISTINCT
FROM opportunity_position) THEN 1::INTEGER ELSE 0::INTEGER END), 1::BIGINT) ELSE 4::BIGINT END AS weight
FROM reached),
totalled AS
(SELECT weighted.side AS side, weighted.position AS position, weighted.direction AS direction, weighted.origin_id AS origin_id, weighted.millionths AS millionths, weighted.magnitude AS magnitude, weighted.weight AS weight, CAST(sum(weighted.weight) OVER (PARTITION BY weighted.side) AS BIGINT) AS total
FROM weighted
WHERE weighted.weight > 0::BIGINT),
shared AS
(SELECT totalled.side AS side, totalled.direction AS direction, totalled.position AS position, totalled.origin_id AS origin_id, totalled.millionths AS millionths, (totalled.millionths / totalled.total) * totalled.weight + ((totalled.millionths % totalled.total) * totalled.weight) / totalled.total AS millionths_share, ((totalled.millionths % totalled.total) * totalled.weight) % totalled.total AS millionths_claim, totalled.magnitude AS magnitude, (totalled.magnitude / totalled.total) * totalled.weight + ((totalled.magnitude % totalled.total) * totalled.weight) / totalled.total AS magnitude_share, ((totalled.magnitude % totalled.total) * totalled.weight) % totalled.total AS magnitude_claim
FROM totalled),
ranked AS
(SELECT shared.side AS side, shared.direction AS direction, shared.position AS position, shared.origin_id AS origin_id, shared.millionths_share AS millionths_share, shared.millionths_claim AS millionths_claim, shared.millionths - CAST(sum(shared.millionths_share) OVER (PARTITION BY shared.side) AS BIGINT) AS millionths_left, row_number() OVER (PARTITION BY shared.side
ORDER BY shared.millionths_claim DESC, shared.position) AS millionths_rank, shared.magnitude_share AS magnitude_share, shared.magnitude_claim AS magnitude_claim, shared.magnitude - CAST(sum(shared.magnitude_share) OVER (PARTITION BY shared.side) AS BIGINT) AS magnitude_left, row_number() OVER (PARTITION BY shared.side
ORDER BY shared.magnitude_claim DESC, shared.position) AS magnitude_rank
FROM shared),
split AS
(SELECT ranked.side AS side, ranked.direction AS direction, ranked.position AS position, ranked.origin_id AS origin_id, ranked.millionths_share + CASE WHEN (ranked.millionths_rank <= ranked.millionths_left) THEN 1::INTEGER ELSE 0::INTEGER END AS millionths, ranked.magnitude_share + CASE WHEN (ranked.magnitude_rank <= ranked.magnitude_left) THEN 1::INTEGER ELSE 0::INTEGER END AS magnitude
FROM ranked),
credit AS
(SELECT split.side AS side, split.origin_id AS origin_id, split.millionths AS millionths, split.direction * split.magnitude AS minor
FROM split),
credit_of_origins AS
(SELECT credit.origin_id AS origin_id, CAST(sum(credit.millionths) AS BIGINT) AS millionths, CAST(sum(credit.minor) AS BIGINT) AS minor
FROM credit
GROUP BY credit.origin_id),
labelled_credit AS
(SELECT coalesce(origin_labels.channel, 'Unassigned'::VARCHAR) AS channel, credit_of_origins.millionths AS millionths, credit_of_origins.minor AS minor
FROM credit_of_origins
LEFT OUTER JOIN origin_labels ON origin_labels.site_id = :site_id::VARCHAR COLLATE "C" AND origin_labels.origin_id = credit_of_origins.origin_id)
 SELECT labelled_credit.channel, CAST(sum(labelled_credit.millionths) AS BIGINT) AS millionths, CAST(sum(labelled_credit.minor) AS BIGINT) AS minor
FROM labelled_credit
GROUP BY labelled_credit.channel
HAVING CAST(sum(labelled_credit.millionths) AS BIGINT) != 0::BIGINT OR CAST(sum(labelled_credit.minor) AS BIGINT) != 0::BIGINT
ORDER BY CAST(sum(labelled_credit.millionths) AS BIGINT) DESC, CAST(sum(labelled_credit.minor) AS BIGINT) DESC, CAST(labelled_credit.channel AS TEXT) COLLATE "C"
