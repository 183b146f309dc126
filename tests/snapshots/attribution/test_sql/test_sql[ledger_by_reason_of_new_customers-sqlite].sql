WITH first_wins_of_people AS
(SELECT winners.person_id AS person_id, min(wins_of_people.occurred_at) AS won_at
FROM conversion_people AS winners
JOIN conversions AS wins_of_people ON wins_of_people.site_id = :site_id AND wins_of_people.kind = winners.kind AND wins_of_people.holder_id = winners.holder_id AND wins_of_people.fact_id = winners.fact_id AND wins_of_people.kind = 'customer'
WHERE winners.site_id = :site_id AND winners.kind = 'customer' AND winners.is_contact IS 1
GROUP BY winners.person_id),
first_wins_of_companies AS
(SELECT deals_of_companies.space AS space, deals_of_companies.deal_id AS deal_id, min(wins_of_companies.occurred_at) OVER (PARTITION BY deals_of_companies.space, deals_of_companies.company_id) AS won_at
FROM deals AS deals_of_companies
LEFT OUTER JOIN conversions AS wins_of_companies ON wins_of_companies.site_id = :site_id AND wins_of_companies.kind = 'customer' AND wins_of_companies.holder_id = deals_of_companies.space AND wins_of_companies.fact_id = deals_of_companies.deal_id
WHERE deals_of_companies.site_id = :site_id AND deals_of_companies.company_id IS NOT NULL),
known_customers AS
(SELECT its_conversion.kind AS kind, its_conversion.holder_id AS holder_id, its_conversion.fact_id AS fact_id
FROM conversions AS its_conversion
JOIN conversion_people AS its_people ON its_people.site_id = :site_id AND its_people.kind = its_conversion.kind AND its_people.holder_id = its_conversion.holder_id AND its_people.fact_id = its_conversion.fact_id AND its_people.is_contact IS 1
JOIN first_wins_of_people ON first_wins_of_people.person_id = its_people.person_id AND its_conversion.occurred_at > first_wins_of_people.won_at
WHERE its_conversion.site_id = :site_id AND its_conversion.kind = :kind UNION SELECT its_conversion.kind AS kind, its_conversion.holder_id AS holder_id, its_conversion.fact_id AS fact_id
FROM conversions AS its_conversion
JOIN first_wins_of_companies ON first_wins_of_companies.space = its_conversion.holder_id AND first_wins_of_companies.deal_id = its_conversion.fact_id AND its_conversion.occurred_at > first_wins_of_companies.won_at
WHERE its_conversion.site_id = :site_id AND its_conversion.kind = :kind),
signs AS
(SELECT 1 AS sign UNION ALL SELECT -1 AS anon_1),
sides AS
(SELECT row_number() OVER () AS side, ledger_entries.kind AS kind, ledger_entries.holder_id AS holder_id, ledger_entries.fact_id AS fact_id, ledger_entries.entry AS entry, signs.sign AS sign, ledger_entries.counted_on AS counted_on, conversions.occurred_at AS occurred_at, conversions.lead_at AS lead_at, conversions.opportunity_at AS opportunity_at, conversions.has_people AS has_people, conversions.currency AS currency, conversions.currency IS NULL OR conversions.currency = :currency AS is_convertible, CASE WHEN (signs.sign = 1) THEN ledger_entries.counts * 1000000 ELSE 0 END AS millionths, abs(CASE WHEN (signs.sign = 1) THEN ledger_entries.after_minor ELSE ledger_entries.before_minor END) AS magnitude, signs.sign * CASE WHEN (CASE WHEN (signs.sign = 1) THEN ledger_entries.after_minor ELSE ledger_entries.before_minor END < 0) THEN -1 ELSE 1 END AS direction
FROM ledger_entries
LEFT OUTER JOIN known_customers ON known_customers.kind = ledger_entries.kind AND known_customers.holder_id = ledger_entries.holder_id AND known_customers.fact_id = ledger_entries.fact_id
JOIN conversions ON conversions.site_id = :site_id AND conversions.kind = ledger_entries.kind AND conversions.holder_id = ledger_entries.holder_id AND conversions.fact_id = ledger_entries.fact_id
JOIN signs ON signs.sign = 1 OR ledger_entries.before_minor != 0
WHERE ledger_entries.site_id = :site_id AND ledger_entries.kind = :kind AND known_customers.fact_id IS NULL),
outcomes AS
(SELECT sides.counted_on AS counted_on, CASE WHEN (journeys.first_touched_at >= sides.occurred_at - :lookback) THEN NULL WHEN (EXISTS (SELECT *
FROM journey_touches
WHERE journey_touches.site_id = :site_id AND journey_touches.kind = sides.kind AND journey_touches.holder_id = sides.holder_id AND journey_touches.fact_id = sides.fact_id AND journey_touches.occurred_at >= sides.occurred_at - :lookback)) THEN NULL WHEN sides.has_people = 0 THEN 'no_contact' WHEN (journeys.first_touched_at IS NULL AND ((SELECT min(visitor_spans.first_touched_at) AS min_1
FROM visitor_spans
WHERE visitor_spans.site_id = :site_id) IS NULL OR sides.occurred_at < (SELECT min(visitor_spans.first_touched_at) AS min_1
FROM visitor_spans
WHERE visitor_spans.site_id = :site_id))) THEN 'before_tracking_began' WHEN (journeys.first_touched_at IS NULL) THEN 'no_touch' WHEN (NOT (EXISTS (SELECT *
FROM journey_touches
WHERE journey_touches.site_id = :site_id AND journey_touches.kind = sides.kind AND journey_touches.holder_id = sides.holder_id AND journey_touches.fact_id = sides.fact_id AND journey_touches.occurred_at >= sides.occurred_at - :lookback))) THEN 'outside_lookback' ELSE 'only_direct' END AS reason, sides.is_convertible AS is_convertible, sides.currency AS currency, sides.millionths AS millionths, sides.direction * sides.magnitude AS minor, CASE WHEN (journeys.first_touched_at < sides.occurred_at - :lookback) THEN sides.millionths ELSE 0 END AS early_millionths
FROM sides
LEFT OUTER JOIN journeys ON journeys.site_id = :site_id AND journeys.kind = sides.kind AND journeys.holder_id = sides.holder_id AND journeys.fact_id = sides.fact_id)
 SELECT outcomes.reason, outcomes.is_convertible, outcomes.currency, CAST(sum(outcomes.millionths) AS BIGINT) AS millionths, CAST(sum(outcomes.minor) AS BIGINT) AS minor, CAST(sum(outcomes.early_millionths) AS BIGINT) AS early_millionths
FROM outcomes
GROUP BY outcomes.reason, outcomes.is_convertible, outcomes.currency
