WITH signs AS
(SELECT 1::INTEGER AS sign UNION ALL SELECT -1::INTEGER AS anon_1),
sides AS
(SELECT row_number() OVER () AS side, ledger_entries.kind AS kind, ledger_entries.holder_id AS holder_id, ledger_entries.fact_id AS fact_id, ledger_entries.entry AS entry, signs.sign AS sign, ledger_entries.counted_on AS counted_on, conversions.occurred_at AS occurred_at, conversions.lead_at AS lead_at, conversions.opportunity_at AS opportunity_at, conversions.has_people AS has_people, conversions.currency AS currency, conversions.currency IS NULL OR conversions.currency = :currency::VARCHAR AS is_convertible, CASE WHEN (signs.sign = 1::INTEGER) THEN ledger_entries.counts * 1000000::BIGINT ELSE 0::INTEGER END AS millionths, abs(CASE WHEN (signs.sign = 1::INTEGER) THEN ledger_entries.after_minor ELSE ledger_entries.before_minor END) AS magnitude, signs.sign * CASE WHEN (CASE WHEN (signs.sign = 1::INTEGER) THEN ledger_entries.after_minor ELSE ledger_entries.before_minor END < 0::BIGINT) THEN -1::INTEGER ELSE 1::INTEGER END AS direction
FROM ledger_entries
JOIN conversions ON conversions.site_id = :site_id::VARCHAR COLLATE "C" AND conversions.kind = ledger_entries.kind AND conversions.holder_id = ledger_entries.holder_id AND conversions.fact_id = ledger_entries.fact_id
JOIN signs ON signs.sign = 1::INTEGER OR ledger_entries.before_minor != 0::BIGINT
WHERE ledger_entries.site_id = :site_id::VARCHAR COLLATE "C" AND ledger_entries.kind = :kind::VARCHAR COLLATE "C" AND ledger_entries.counted_on >= :first_day::VARCHAR COLLATE "C" AND ledger_entries.counted_on <= :last_day::VARCHAR COLLATE "C" AND ledger_entries.counted_on IN (SELECT dirty_sums.day
FROM dirty_sums
WHERE dirty_sums.site_id = :site_id::VARCHAR COLLATE "C" AND dirty_sums.kind = :kind::VARCHAR COLLATE "C")),
reached AS
(SELECT sides.side AS side, sides.millionths AS millionths, CASE WHEN sides.is_convertible THEN sides.magnitude ELSE 0::INTEGER END AS magnitude, sides.direction AS direction, journey_touches.position AS position, journey_touches.origin_id AS origin_id, sides.counted_on AS counted_on, coalesce(max(CASE WHEN (coalesce(origin_labels.channel, ''::VARCHAR) != 'Direct'::VARCHAR) THEN journey_touches.position END) OVER (PARTITION BY sides.side), max(journey_touches.position) OVER (PARTITION BY sides.side)) AS last_non_direct_position
FROM sides
JOIN journey_touches ON journey_touches.site_id = :site_id::VARCHAR COLLATE "C" AND journey_touches.kind = sides.kind AND journey_touches.holder_id = sides.holder_id AND journey_touches.fact_id = sides.fact_id
LEFT OUTER JOIN origin_labels ON origin_labels.site_id = :site_id::VARCHAR COLLATE "C" AND origin_labels.origin_id = journey_touches.origin_id
WHERE journey_touches.occurred_at >= sides.occurred_at - :lookback::BIGINT),
views AS
(SELECT reached.side * 2::INTEGER + 0::INTEGER AS side, reached.direction AS direction, reached.position AS position, reached.origin_id AS origin_id, reached.counted_on AS counted_on, reached.millionths AS millionths, reached.magnitude AS magnitude, 1::BIGINT AS weight
FROM reached UNION ALL SELECT reached.side * 2::INTEGER + 1::INTEGER AS side, reached.direction AS direction, reached.position AS position, reached.origin_id AS origin_id, reached.counted_on AS counted_on, reached.millionths AS millionths, reached.magnitude AS magnitude, CASE WHEN (position = last_non_direct_position) THEN 1::INTEGER ELSE 0::BIGINT END AS weight
FROM reached),
totalled AS
(SELECT views.side AS side, views.direction AS direction, views.position AS position, views.origin_id AS origin_id, views.counted_on AS counted_on, views.millionths AS millionths, views.magnitude AS magnitude, views.weight AS weight, CAST(sum(views.weight) OVER (PARTITION BY views.side) AS BIGINT) AS total
FROM views
WHERE views.weight > 0::BIGINT),
shared AS
(SELECT totalled.side AS side, totalled.direction AS direction, totalled.position AS position, totalled.origin_id AS origin_id, totalled.counted_on AS counted_on, totalled.millionths AS millionths, (totalled.millionths / totalled.total) * totalled.weight + ((totalled.millionths % totalled.total) * totalled.weight) / totalled.total AS millionths_share, ((totalled.millionths % totalled.total) * totalled.weight) % totalled.total AS millionths_claim, totalled.magnitude AS magnitude, (totalled.magnitude / totalled.total) * totalled.weight + ((totalled.magnitude % totalled.total) * totalled.weight) / totalled.total AS magnitude_share, ((totalled.magnitude % totalled.total) * totalled.weight) % totalled.total AS magnitude_claim
FROM totalled),
ranked AS
(SELECT shared.side AS side, shared.direction AS direction, shared.position AS position, shared.origin_id AS origin_id, shared.counted_on AS counted_on, shared.millionths_share AS millionths_share, shared.millionths_claim AS millionths_claim, shared.millionths - CAST(sum(shared.millionths_share) OVER (PARTITION BY shared.side) AS BIGINT) AS millionths_left, row_number() OVER (PARTITION BY shared.side
ORDER BY shared.millionths_claim DESC, shared.position) AS millionths_rank, shared.magnitude_share AS magnitude_share, shared.magnitude_claim AS magnitude_claim, shared.magnitude - CAST(sum(shared.magnitude_share) OVER (PARTITION BY shared.side) AS BIGINT) AS magnitude_left, row_number() OVER (PARTITION BY shared.side
ORDER BY shared.magnitude_claim DESC, shared.position) AS magnitude_rank
FROM shared),
split AS
(SELECT ranked.side AS side, ranked.direction AS direction, ranked.position AS position, ranked.origin_id AS origin_id, ranked.counted_on AS counted_on, ranked.millionths_share + CASE WHEN (ranked.millionths_rank <= ranked.millionths_left) THEN 1::INTEGER ELSE 0::INTEGER END AS millionths, ranked.magnitude_share + CASE WHEN (ranked.magnitude_rank <= ranked.magnitude_left) THEN 1::INTEGER ELSE 0::INTEGER END AS magnitude
FROM ranked),
credit_of_views AS
(SELECT split.counted_on AS counted_on, split.side % 2::INTEGER AS number, split.origin_id AS origin_id, split.millionths AS millionths, split.direction * split.magnitude AS minor
FROM split)
 SELECT :site_id::VARCHAR COLLATE "C" AS site_id, :kind::VARCHAR COLLATE "C" AS kind, credit_of_views.counted_on, CASE credit_of_views.number WHEN 0::INTEGER THEN 'linear'::VARCHAR WHEN 1::INTEGER THEN 'last_non_direct'::VARCHAR END AS model, credit_of_views.origin_id, CAST(sum(credit_of_views.millionths) AS BIGINT) AS millionths, CAST(sum(credit_of_views.minor) AS BIGINT) AS minor, false AS is_gone
FROM credit_of_views
GROUP BY credit_of_views.counted_on, credit_of_views.number, credit_of_views.origin_id
