WITH signs AS
(SELECT 1::INTEGER AS sign UNION ALL SELECT -1::INTEGER AS anon_1),
sides AS
(SELECT row_number() OVER () AS side, ledger_entries.kind AS kind, ledger_entries.holder_id AS holder_id, ledger_entries.fact_id AS fact_id, ledger_entries.entry AS entry, signs.sign AS sign, ledger_entries.counted_on AS counted_on, conversions.occurred_at AS occurred_at, conversions.lead_at AS lead_at, conversions.opportunity_at AS opportunity_at, conversions.has_people AS has_people, conversions.currency AS currency, conversions.currency IS NULL OR conversions.currency = :currency::VARCHAR AS is_convertible, CASE WHEN (signs.sign = 1::INTEGER) THEN ledger_entries.counts * 1000000::BIGINT ELSE 0::INTEGER END AS millionths, abs(CASE WHEN (signs.sign = 1::INTEGER) THEN ledger_entries.after_minor ELSE ledger_entries.before_minor END) AS magnitude, signs.sign * CASE WHEN (CASE WHEN (signs.sign = 1::INTEGER) THEN ledger_entries.after_minor ELSE ledger_entries.before_minor END < 0::BIGINT) THEN -1::INTEGER ELSE 1::INTEGER END AS direction
FROM ledger_entries
JOIN conversions ON conversions.site_id = :site_id::VARCHAR COLLATE "C" AND conversions.kind = ledger_entries.kind AND conversions.holder_id = ledger_entries.holder_id AND conversions.fact_id = ledger_entries.fact_id
JOIN signs ON signs.sign = 1::INTEGER OR ledger_entries.before_minor != 0::BIGINT
WHERE ledger_entries.site_id = :site_id::VARCHAR COLLATE "C" AND ledger_entries.kind = :kind::VARCHAR COLLATE "C" AND ledger_entries.counted_at >= :starts_at::BIGINT AND ledger_entries.counted_at < :ends_at::BIGINT),
conversions_asked AS
(SELECT min(sides.side) AS side, sides.kind AS kind, sides.holder_id AS holder_id, sides.fact_id AS fact_id, sides.occurred_at AS occurred_at, sides.lead_at AS lead_at, sides.opportunity_at AS opportunity_at, CAST(sum(sides.millionths) AS BIGINT) / 1000000::BIGINT AS counts, CAST(sum(CASE WHEN sides.is_convertible THEN sides.direction * sides.magnitude ELSE 0::INTEGER END) AS BIGINT) AS net
FROM sides
GROUP BY sides.kind, sides.holder_id, sides.fact_id, sides.occurred_at, sides.lead_at, sides.opportunity_at
HAVING CAST(sum(sides.millionths) AS BIGINT) / 1000000::BIGINT != 0::BIGINT OR CAST(sum(CASE WHEN sides.is_convertible THEN sides.direction * sides.magnitude ELSE 0::INTEGER END) AS BIGINT) != 0::BIGINT),
touches_of_sides AS
(SELECT conversions_asked.side AS journey, journey_touches.position AS position, journey_touches.origin_id AS origin_id, conversions_asked.counts AS counts, conversions_asked.net AS net
FROM conversions_asked
JOIN journey_touches ON journey_touches.site_id = :site_id::VARCHAR COLLATE "C" AND journey_touches.kind = conversions_asked.kind AND journey_touches.holder_id = conversions_asked.holder_id AND journey_touches.fact_id = conversions_asked.fact_id
WHERE journey_touches.occurred_at >= conversions_asked.occurred_at - :lookback::BIGINT),
labels_numbered AS
(SELECT origin_labels.origin_id AS origin_id, coalesce(origin_labels.channel, 'Unassigned'::VARCHAR) AS name, dense_rank() OVER (ORDER BY CAST(coalesce(origin_labels.channel, 'Unassigned'::VARCHAR) AS TEXT) COLLATE "C") AS number
FROM origin_labels
WHERE origin_labels.site_id = :site_id::VARCHAR COLLATE "C"),
spelled AS
(SELECT touches_of_sides.counts AS counts, touches_of_sides.net AS net, string_agg(CAST(coalesce(labels_numbered.number, 0::BIGINT) AS TEXT), __[POSTCOMPILE_aggregate_strings_1]) OVER (PARTITION BY touches_of_sides.journey
ORDER BY touches_of_sides.position ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) AS path, row_number() OVER (PARTITION BY touches_of_sides.journey
ORDER BY touches_of_sides.position) AS place
FROM touches_of_sides
LEFT OUTER JOIN labels_numbered ON labels_numbered.origin_id = touches_of_sides.origin_id)
 SELECT CAST(spelled.path AS TEXT) COLLATE "C" AS path, spelled.counts, spelled.net, count(*) AS times
FROM spelled
WHERE spelled.place = 1::INTEGER
GROUP BY CAST(spelled.path AS TEXT) COLLATE "C", spelled.counts, spelled.net
ORDER BY path, spelled.counts, spelled.net
