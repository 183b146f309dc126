DELETE
FROM dirty_conversions
WHERE dirty_conversions.site_id = :site_id::VARCHAR COLLATE "C";

DELETE
FROM staged_conversions
WHERE staged_conversions.site_id = :site_id::VARCHAR COLLATE "C";

DELETE
FROM staged_conversion_people
WHERE staged_conversion_people.site_id = :site_id::VARCHAR COLLATE "C";

DELETE
FROM staged_ledger_entries
WHERE staged_ledger_entries.site_id = :site_id::VARCHAR COLLATE "C";

DELETE
FROM concerned_deals
WHERE concerned_deals.site_id = :site_id::VARCHAR COLLATE "C";

INSERT INTO concerned_deals (site_id, space, deal_id)
SELECT dirty_conversions.site_id, dirty_conversions.space, dirty_conversions.deal_id
FROM dirty_conversions
WHERE dirty_conversions.site_id = :site_id::VARCHAR COLLATE "C" AND dirty_conversions.person_id = ''::VARCHAR COLLATE "C"
UNION SELECT deal_people.site_id, deal_people.space, deal_people.deal_id
FROM dirty_conversions
JOIN deal_people ON deal_people.site_id = :site_id::VARCHAR COLLATE "C" AND deal_people.person_id = dirty_conversions.person_id
WHERE dirty_conversions.site_id = :site_id::VARCHAR COLLATE "C" AND dirty_conversions.person_id != ''::VARCHAR COLLATE "C";

WITH people AS
(SELECT dirty_conversions.person_id AS person_id
FROM dirty_conversions
WHERE dirty_conversions.site_id = :site_id::VARCHAR COLLATE "C" AND dirty_conversions.person_id != ''::VARCHAR COLLATE "C"),
marks_seen AS
(SELECT DISTINCT contact_marks.fact_id AS fact_id, contact_marks.link_id AS link_id, contact_marks.mark AS mark, contact_marks.occurred_at AS occurred_at, contact_marks.marked_by AS marked_by, contact_marks.reason AS reason, contact_marks.bant AS bant
FROM people
JOIN key_people AS keys_of_person ON keys_of_person.site_id = :site_id::VARCHAR COLLATE "C" AND keys_of_person.person_id = people.person_id
JOIN link_keys AS links_of_key ON links_of_key.site_id = :site_id::VARCHAR COLLATE "C" AND links_of_key.key_id = keys_of_person.key_id
JOIN contact_marks ON contact_marks.site_id = :site_id::VARCHAR COLLATE "C" AND contact_marks.link_id = links_of_key.link_id),
marks_owned AS
(SELECT marks_seen.fact_id AS fact_id, marks_seen.link_id AS link_id, marks_seen.mark AS mark, marks_seen.occurred_at AS occurred_at, marks_seen.marked_by AS marked_by, marks_seen.reason AS reason, marks_seen.bant AS bant, (SELECT min(key_people.person_id) AS min_1
FROM link_keys
JOIN key_people ON key_people.site_id = :site_id::VARCHAR COLLATE "C" AND key_people.key_id = link_keys.key_id
WHERE link_keys.site_id = :site_id::VARCHAR COLLATE "C" AND link_keys.link_id = marks_seen.link_id) AS person_id
FROM marks_seen),
marks_of_people AS
(SELECT marks_owned.fact_id AS fact_id, marks_owned.link_id AS link_id, marks_owned.mark AS mark, marks_owned.occurred_at AS occurred_at, marks_owned.marked_by AS marked_by, marks_owned.reason AS reason, marks_owned.bant AS bant, marks_owned.person_id AS person_id
FROM marks_owned
WHERE EXISTS (SELECT *
FROM people
WHERE people.person_id = marks_owned.person_id)),
moments_of_people AS
(SELECT visitor_spans.person_id AS person_id, goal_events.goal AS kind, goal_events.visitor_id AS holder_id, goal_events.event_id AS fact_id, goal_events.occurred_at AS occurred_at, goal_events.sequence AS sequence, goal_events.once_per AS once_per
FROM people
JOIN visitor_spans ON visitor_spans.site_id = :site_id::VARCHAR COLLATE "C" AND visitor_spans.person_id = people.person_id
JOIN goal_events ON goal_events.site_id = :site_id::VARCHAR COLLATE "C" AND goal_events.purpose = 'goal'::VARCHAR COLLATE "C" AND goal_events.visitor_id = visitor_spans.visitor_id AND goal_events.occurred_at >= visitor_spans.starts_at AND goal_events.occurred_at < visitor_spans.ends_at
UNION ALL SELECT marks_of_people.person_id AS person_id, marks_of_people.mark AS mark, 'crm'::VARCHAR COLLATE "C" AS anon_1, marks_of_people.fact_id AS fact_id, marks_of_people.occurred_at AS occurred_at, 4611686018427387904::BIGINT AS anon_2, 'person'::VARCHAR AS anon_3
FROM marks_of_people
WHERE marks_of_people.mark IN (__[POSTCOMPILE_mark_1]) AND (marks_of_people.mark != 'sql'::VARCHAR OR FLOOR((length(coalesce(marks_of_people.bant, ''::VARCHAR)) - length(replace(coalesce(marks_of_people.bant, ''::VARCHAR), 'true'::VARCHAR, ''::VARCHAR))) / 4::INTEGER) >= :bant_minimum::BIGINT)),
moments_in_order AS
(SELECT moments_of_people.person_id AS person_id, moments_of_people.kind AS kind, moments_of_people.holder_id AS holder_id, moments_of_people.fact_id AS fact_id, moments_of_people.occurred_at AS occurred_at, moments_of_people.sequence AS sequence, moments_of_people.once_per AS once_per, row_number() OVER (PARTITION BY moments_of_people.person_id, moments_of_people.kind
ORDER BY moments_of_people.occurred_at, moments_of_people.sequence, moments_of_people.fact_id, moments_of_people.holder_id) AS number, min(CASE WHEN (moments_of_people.kind = 'lead'::VARCHAR COLLATE "C") THEN moments_of_people.occurred_at END) OVER (PARTITION BY moments_of_people.person_id) AS lead_at
FROM moments_of_people)
 INSERT INTO staged_conversions (site_id, kind, holder_id, fact_id, person_id, occurred_at, currency, has_people, lead_at, opportunity_at, is_gone)
SELECT :site_id::VARCHAR COLLATE "C" AS site_id, moments_in_order.kind, moments_in_order.holder_id, moments_in_order.fact_id, moments_in_order.person_id, moments_in_order.occurred_at, NULL AS currency, true AS has_people, CASE WHEN (moments_in_order.occurred_at >= moments_in_order.lead_at) THEN moments_in_order.lead_at END AS lead_at, NULL AS opportunity_at, false AS is_gone
FROM moments_in_order
WHERE moments_in_order.number = 1::INTEGER OR moments_in_order.once_per = 'event'::VARCHAR;

INSERT INTO staged_conversions (site_id, kind, holder_id, fact_id, person_id, occurred_at, currency, has_people, lead_at, opportunity_at, is_gone)
SELECT of_deals.site_id, of_deals.kind, of_deals.holder_id, of_deals.fact_id, of_deals.person_id, of_deals.occurred_at, of_deals.currency, of_deals.has_people, of_deals.lead_at, of_deals.opportunity_at, of_deals.is_gone
FROM (SELECT deals.site_id AS site_id, 'opportunity'::VARCHAR AS kind, deals.space AS holder_id, deals.deal_id AS fact_id, ''::VARCHAR AS person_id, deals.opened_at AS occurred_at, deals.currency AS currency, deals.has_contacts OR (EXISTS (SELECT *
FROM deal_people
WHERE deal_people.site_id = :site_id::VARCHAR COLLATE "C" AND deal_people.space = deals.space AND deal_people.deal_id = deals.deal_id)) AS has_people, coalesce((SELECT min(nullif(least(coalesce((SELECT min((SELECT min(goal_events.occurred_at) AS min_3
FROM goal_events
WHERE goal_events.site_id = :site_id::VARCHAR COLLATE "C" AND goal_events.purpose = 'goal'::VARCHAR COLLATE "C" AND goal_events.visitor_id = visitor_spans.visitor_id AND goal_events.occurred_at >= visitor_spans.starts_at AND goal_events.occurred_at < visitor_spans.ends_at AND goal_events.goal = 'lead'::VARCHAR COLLATE "C" AND goal_events.occurred_at <= deals.opened_at)) AS min_2
FROM visitor_spans
WHERE visitor_spans.site_id = :site_id::VARCHAR COLLATE "C" AND visitor_spans.person_id = deal_people.person_id), 253402300799999999::BIGINT), coalesce((SELECT min(contact_marks.occurred_at) AS min_4
FROM key_people AS its_keys
JOIN link_keys AS its_links ON its_links.site_id = :site_id::VARCHAR COLLATE "C" AND its_links.key_id = its_keys.key_id
JOIN contact_marks ON contact_marks.link_id = its_links.link_id
WHERE its_keys.site_id = :site_id::VARCHAR COLLATE "C" AND its_keys.person_id = deal_people.person_id AND contact_marks.site_id = :site_id::VARCHAR COLLATE "C" AND contact_marks.mark = 'lead'::VARCHAR AND contact_marks.occurred_at <= deals.opened_at AND NOT (EXISTS (SELECT *
FROM link_keys AS keys_beside, key_people AS people_beside
WHERE keys_beside.site_id = :site_id::VARCHAR COLLATE "C" AND keys_beside.link_id = its_links.link_id AND people_beside.site_id = :site_id::VARCHAR COLLATE "C" AND people_beside.key_id = keys_beside.key_id AND people_beside.person_id < its_keys.person_id))), 253402300799999999::BIGINT)), 253402300799999999::BIGINT)) AS min_1
FROM deal_people
WHERE deal_people.site_id = :site_id::VARCHAR COLLATE "C" AND deal_people.space = deals.space AND deal_people.deal_id = deals.deal_id AND deal_people.is_contact IS true), (SELECT min(nullif(least(coalesce((SELECT min((SELECT min(goal_events.occurred_at) AS min_7
FROM goal_events
WHERE goal_events.site_id = :site_id::VARCHAR COLLATE "C" AND goal_events.purpose = 'goal'::VARCHAR COLLATE "C" AND goal_events.visitor_id = visitor_spans.visitor_id AND goal_events.occurred_at >= visitor_spans.starts_at AND goal_events.occurred_at < visitor_spans.ends_at AND goal_events.goal = 'lead'::VARCHAR COLLATE "C" AND goal_events.occurred_at <= deals.opened_at)) AS min_6
FROM visitor_spans
WHERE visitor_spans.site_id = :site_id::VARCHAR COLLATE "C" AND visitor_spans.person_id = deal_people.person_id), 253402300799999999::BIGINT), coalesce((SELECT min(contact_marks.occurred_at) AS min_8
FROM key_people AS its_keys
JOIN link_keys AS its_links ON its_links.site_id = :site_id::VARCHAR COLLATE "C" AND its_links.key_id = its_keys.key_id
JOIN contact_marks ON contact_marks.link_id = its_links.link_id
WHERE its_keys.site_id = :site_id::VARCHAR COLLATE "C" AND its_keys.person_id = deal_people.person_id AND contact_marks.site_id = :site_id::VARCHAR COLLATE "C" AND contact_marks.mark = 'lead'::VARCHAR AND contact_marks.occurred_at <= deals.opened_at AND NOT (EXISTS (SELECT *
FROM link_keys AS keys_beside, key_people AS people_beside
WHERE keys_beside.site_id = :site_id::VARCHAR COLLATE "C" AND keys_beside.link_id = its_links.link_id AND people_beside.site_id = :site_id::VARCHAR COLLATE "C" AND people_beside.key_id = keys_beside.key_id AND people_beside.person_id < its_keys.person_id))), 253402300799999999::BIGINT)), 253402300799999999::BIGINT)) AS min_5
FROM deal_people
WHERE deal_people.site_id = :site_id::VARCHAR COLLATE "C" AND deal_people.space = deals.space AND deal_people.deal_id = deals.deal_id AND deal_people.is_contact IS false)) AS lead_at, deals.opened_at AS opportunity_at, false AS is_gone
FROM concerned_deals
JOIN deals ON deals.site_id = :site_id::VARCHAR COLLATE "C" AND deals.space = concerned_deals.space AND deals.deal_id = concerned_deals.deal_id
WHERE concerned_deals.site_id = :site_id::VARCHAR COLLATE "C" AND deals.ignored_because IS NULL
UNION ALL SELECT deals.site_id AS site_id, 'customer'::VARCHAR AS kind, deals.space AS holder_id, deals.deal_id AS fact_id, ''::VARCHAR AS person_id, deals.won_at AS occurred_at, deals.currency AS currency, deals.has_contacts OR (EXISTS (SELECT *
FROM deal_people
WHERE deal_people.site_id = :site_id::VARCHAR COLLATE "C" AND deal_people.space = deals.space AND deal_people.deal_id = deals.deal_id)) AS has_people, coalesce((SELECT min(nullif(least(coalesce((SELECT min((SELECT min(goal_events.occurred_at) AS min_11
FROM goal_events
WHERE goal_events.site_id = :site_id::VARCHAR COLLATE "C" AND goal_events.purpose = 'goal'::VARCHAR COLLATE "C" AND goal_events.visitor_id = visitor_spans.visitor_id AND goal_events.occurred_at >= visitor_spans.starts_at AND goal_events.occurred_at < visitor_spans.ends_at AND goal_events.goal = 'lead'::VARCHAR COLLATE "C" AND goal_events.occurred_at <= deals.won_at)) AS min_10
FROM visitor_spans
WHERE visitor_spans.site_id = :site_id::VARCHAR COLLATE "C" AND visitor_spans.person_id = deal_people.person_id), 253402300799999999::BIGINT), coalesce((SELECT min(contact_marks.occurred_at) AS min_12
FROM key_people AS its_keys
JOIN link_keys AS its_links ON its_links.site_id = :site_id::VARCHAR COLLATE "C" AND its_links.key_id = its_keys.key_id
JOIN contact_marks ON contact_marks.link_id = its_links.link_id
WHERE its_keys.site_id = :site_id::VARCHAR COLLATE "C" AND its_keys.person_id = deal_people.person_id AND contact_marks.site_id = :site_id::VARCHAR COLLATE "C" AND contact_marks.mark = 'lead'::VARCHAR AND contact_marks.occurred_at <= deals.won_at AND NOT (EXISTS (SELECT *
FROM link_keys AS keys_beside, key_people AS people_beside
WHERE keys_beside.site_id = :site_id::VARCHAR COLLATE "C" AND keys_beside.link_id = its_links.link_id AND people_beside.site_id = :site_id::VARCHAR COLLATE "C" AND people_beside.key_id = keys_beside.key_id AND people_beside.person_id < its_keys.person_id))), 253402300799999999::BIGINT)), 253402300799999999::BIGINT)) AS min_9
FROM deal_people
WHERE deal_people.site_id = :site_id::VARCHAR COLLATE "C" AND deal_people.space = deals.space AND deal_people.deal_id = deals.deal_id AND deal_people.is_contact IS true), (SELECT min(nullif(least(coalesce((SELECT min((SELECT min(goal_events.occurred_at) AS min_15
FROM goal_events
WHERE goal_events.site_id = :site_id::VARCHAR COLLATE "C" AND goal_events.purpose = 'goal'::VARCHAR COLLATE "C" AND goal_events.visitor_id = visitor_spans.visitor_id AND goal_events.occurred_at >= visitor_spans.starts_at AND goal_events.occurred_at < visitor_spans.ends_at AND goal_events.goal = 'lead'::VARCHAR COLLATE "C" AND goal_events.occurred_at <= deals.won_at)) AS min_14
FROM visitor_spans
WHERE visitor_spans.site_id = :site_id::VARCHAR COLLATE "C" AND visitor_spans.person_id = deal_people.person_id), 253402300799999999::BIGINT), coalesce((SELECT min(contact_marks.occurred_at) AS min_16
FROM key_people AS its_keys
JOIN link_keys AS its_links ON its_links.site_id = :site_id::VARCHAR COLLATE "C" AND its_links.key_id = its_keys.key_id
JOIN contact_marks ON contact_marks.link_id = its_links.link_id
WHERE its_keys.site_id = :site_id::VARCHAR COLLATE "C" AND its_keys.person_id = deal_people.person_id AND contact_marks.site_id = :site_id::VARCHAR COLLATE "C" AND contact_marks.mark = 'lead'::VARCHAR AND contact_marks.occurred_at <= deals.won_at AND NOT (EXISTS (SELECT *
FROM link_keys AS keys_beside, key_people AS people_beside
WHERE keys_beside.site_id = :site_id::VARCHAR COLLATE "C" AND keys_beside.link_id = its_links.link_id AND people_beside.site_id = :site_id::VARCHAR COLLATE "C" AND people_beside.key_id = keys_beside.key_id AND people_beside.person_id < its_keys.person_id))), 253402300799999999::BIGINT)), 253402300799999999::BIGINT)) AS min_13
FROM deal_people
WHERE deal_people.site_id = :site_id::VARCHAR COLLATE "C" AND deal_people.space = deals.space AND deal_people.deal_id = deals.deal_id AND deal_people.is_contact IS false)) AS lead_at, deals.opened_at AS opportunity_at, false AS is_gone
FROM concerned_deals
JOIN deals ON deals.site_id = :site_id::VARCHAR COLLATE "C" AND deals.space = concerned_deals.space AND deals.deal_id = concerned_deals.deal_id
WHERE concerned_deals.site_id = :site_id::VARCHAR COLLATE "C" AND deals.ignored_because IS NULL AND deals.outcome = 'won'::VARCHAR AND (:customer_space::VARCHAR COLLATE "C" = ''::VARCHAR COLLATE "C" OR deals.space = :customer_space::VARCHAR COLLATE "C")) AS of_deals;

DELETE
FROM concerned_conversions
WHERE concerned_conversions.site_id = :site_id::VARCHAR COLLATE "C";

INSERT INTO concerned_conversions (site_id, kind, holder_id, fact_id)
SELECT before.site_id, before.kind, before.holder_id, before.fact_id
FROM (SELECT conversions.site_id AS site_id, conversions.kind AS kind, conversions.holder_id AS holder_id, conversions.fact_id AS fact_id
FROM dirty_conversions
JOIN conversions ON conversions.site_id = :site_id::VARCHAR COLLATE "C" AND conversions.person_id = dirty_conversions.person_id
WHERE dirty_conversions.site_id = :site_id::VARCHAR COLLATE "C" AND dirty_conversions.person_id != ''::VARCHAR COLLATE "C"
UNION ALL SELECT conversions.site_id AS site_id, conversions.kind AS kind, conversions.holder_id AS holder_id, conversions.fact_id AS fact_id
FROM concerned_deals
JOIN conversions ON conversions.site_id = :site_id::VARCHAR COLLATE "C" AND conversions.kind IN (__[POSTCOMPILE_kind_1]) AND conversions.holder_id = concerned_deals.space AND conversions.fact_id = concerned_deals.deal_id
WHERE concerned_deals.site_id = :site_id::VARCHAR COLLATE "C") AS before
UNION SELECT staged_conversions.site_id, staged_conversions.kind, staged_conversions.holder_id, staged_conversions.fact_id
FROM staged_conversions
WHERE staged_conversions.site_id = :site_id::VARCHAR COLLATE "C";

INSERT INTO staged_conversion_people (site_id, kind, holder_id, fact_id, person_id, is_contact, is_gone)
SELECT :site_id::VARCHAR COLLATE "C" AS site_id, people.kind, people.holder_id, people.fact_id, people.person_id, people.is_contact, false AS is_gone
FROM (SELECT staged_conversions.kind AS kind, staged_conversions.holder_id AS holder_id, staged_conversions.fact_id AS fact_id, staged_conversions.person_id AS person_id, true AS is_contact
FROM staged_conversions
WHERE staged_conversions.site_id = :site_id::VARCHAR COLLATE "C" AND staged_conversions.person_id != ''::VARCHAR COLLATE "C"
UNION ALL SELECT staged_conversions.kind AS kind, staged_conversions.holder_id AS holder_id, staged_conversions.fact_id AS fact_id, deal_people.person_id AS person_id, deal_people.is_contact AS is_contact
FROM staged_conversions
JOIN deal_people ON deal_people.site_id = :site_id::VARCHAR COLLATE "C" AND deal_people.space = staged_conversions.holder_id AND deal_people.deal_id = staged_conversions.fact_id
WHERE staged_conversions.site_id = :site_id::VARCHAR COLLATE "C" AND staged_conversions.kind IN (__[POSTCOMPILE_kind_1]) AND staged_conversions.person_id = ''::VARCHAR COLLATE "C") AS people;

INSERT INTO staged_ledger_entries (site_id, kind, holder_id, fact_id, entry, counted_at, counted_on, occurred_at, counts, before_minor, after_minor, is_gone)
SELECT :site_id::VARCHAR COLLATE "C" AS site_id, entries.kind, entries.holder_id, entries.fact_id, entries.entry, entries.counted_at, coalesce((SELECT days.day
FROM local_days AS days
WHERE days.site_id = :site_id::VARCHAR COLLATE "C" AND days.starts_at <= entries.counted_at
ORDER BY days.starts_at DESC, days.day DESC
 LIMIT 1::INTEGER), ''::VARCHAR) AS counted_on, entries.occurred_at, entries.counts, entries.before_minor, entries.after_minor, false AS is_gone
FROM (SELECT staged_conversions.kind AS kind, staged_conversions.holder_id AS holder_id, staged_conversions.fact_id AS fact_id, 0::INTEGER AS entry, staged_conversions.occurred_at AS counted_at, staged_conversions.occurred_at AS occurred_at, 1::INTEGER AS counts, 0::INTEGER AS before_minor, 0::INTEGER AS after_minor
FROM staged_conversions
WHERE staged_conversions.site_id = :site_id::VARCHAR COLLATE "C" AND staged_conversions.person_id != ''::VARCHAR COLLATE "C"
UNION ALL SELECT staged_conversions.kind AS kind, staged_conversions.holder_id AS holder_id, staged_conversions.fact_id AS fact_id, 0::INTEGER AS entry, staged_conversions.occurred_at AS counted_at, staged_conversions.occurred_at AS occurred_at, 1::INTEGER AS counts, 0::INTEGER AS before_minor, coalesce(deals.amount_minor, 0::INTEGER) AS after_minor
FROM staged_conversions
JOIN deals ON deals.site_id = :site_id::VARCHAR COLLATE "C" AND deals.space = staged_conversions.holder_id AND deals.deal_id = staged_conversions.fact_id
WHERE staged_conversions.site_id = :site_id::VARCHAR COLLATE "C" AND staged_conversions.kind = 'opportunity'::VARCHAR COLLATE "C" AND staged_conversions.person_id = ''::VARCHAR COLLATE "C"
UNION ALL SELECT staged_conversions.kind AS kind, staged_conversions.holder_id AS holder_id, staged_conversions.fact_id AS fact_id, deal_amounts.entry AS entry, CASE WHEN (deal_amounts.entry = 0::BIGINT) THEN coalesce(local_days.starts_at, deal_amounts.occurred_at) ELSE deal_amounts.occurred_at END AS counted_at, deal_amounts.occurred_at AS occurred_at, CASE WHEN (deal_amounts.entry = 0::BIGINT) THEN 1::INTEGER ELSE 0::INTEGER END AS counts, deal_amounts.before_minor AS before_minor, deal_amounts.after_minor AS after_minor
FROM staged_conversions
JOIN deals ON deals.site_id = :site_id::VARCHAR COLLATE "C" AND deals.space = staged_conversions.holder_id AND deals.deal_id = staged_conversions.fact_id
JOIN deal_amounts ON deal_amounts.site_id = :site_id::VARCHAR COLLATE "C" AND deal_amounts.space = staged_conversions.holder_id AND deal_amounts.deal_id = staged_conversions.fact_id
LEFT OUTER JOIN local_days ON local_days.site_id = :site_id::VARCHAR COLLATE "C" AND local_days.day = deals.closed_on
WHERE staged_conversions.site_id = :site_id::VARCHAR COLLATE "C" AND staged_conversions.kind = 'customer'::VARCHAR COLLATE "C" AND staged_conversions.person_id = ''::VARCHAR COLLATE "C") AS entries;

SELECT EXISTS (SELECT *
FROM conversions
WHERE conversions.site_id = :site_id::VARCHAR COLLATE "C" AND (conversions.kind, conversions.holder_id, conversions.fact_id) IN (SELECT concerned_conversions.kind, concerned_conversions.holder_id, concerned_conversions.fact_id
FROM concerned_conversions
WHERE concerned_conversions.site_id = :site_id::VARCHAR COLLATE "C")) AS anon_1;

SELECT staged_conversions.is_gone, count(*) AS number
FROM staged_conversions
WHERE staged_conversions.site_id = :site_id::VARCHAR COLLATE "C"
GROUP BY staged_conversions.is_gone;

SELECT EXISTS (SELECT *
FROM conversion_people
WHERE conversion_people.site_id = :site_id::VARCHAR COLLATE "C" AND (conversion_people.kind, conversion_people.holder_id, conversion_people.fact_id) IN (SELECT concerned_conversions.kind, concerned_conversions.holder_id, concerned_conversions.fact_id
FROM concerned_conversions
WHERE concerned_conversions.site_id = :site_id::VARCHAR COLLATE "C")) AS anon_1;

SELECT staged_conversion_people.is_gone, count(*) AS number
FROM staged_conversion_people
WHERE staged_conversion_people.site_id = :site_id::VARCHAR COLLATE "C"
GROUP BY staged_conversion_people.is_gone;

SELECT EXISTS (SELECT *
FROM ledger_entries
WHERE ledger_entries.site_id = :site_id::VARCHAR COLLATE "C" AND (ledger_entries.kind, ledger_entries.holder_id, ledger_entries.fact_id) IN (SELECT concerned_conversions.kind, concerned_conversions.holder_id, concerned_conversions.fact_id
FROM concerned_conversions
WHERE concerned_conversions.site_id = :site_id::VARCHAR COLLATE "C")) AS anon_1;

SELECT staged_ledger_entries.is_gone, count(*) AS number
FROM staged_ledger_entries
WHERE staged_ledger_entries.site_id = :site_id::VARCHAR COLLATE "C"
GROUP BY staged_ledger_entries.is_gone;

DELETE
FROM enqueued_journeys
WHERE enqueued_journeys.site_id = :site_id::VARCHAR COLLATE "C";

DELETE
FROM enqueued_stages
WHERE enqueued_stages.site_id = :site_id::VARCHAR COLLATE "C";

DELETE
FROM enqueued_sums
WHERE enqueued_sums.site_id = :site_id::VARCHAR COLLATE "C";

DELETE
FROM enqueued_opportunities
WHERE enqueued_opportunities.site_id = :site_id::VARCHAR COLLATE "C";

INSERT INTO enqueued_journeys (site_id, kind, holder_id, fact_id)
SELECT DISTINCT anon_1.site_id, anon_1.kind, anon_1.holder_id, anon_1.fact_id
FROM (SELECT concerned_conversions.site_id AS site_id, concerned_conversions.kind AS kind, concerned_conversions.holder_id AS holder_id, concerned_conversions.fact_id AS fact_id
FROM concerned_conversions
WHERE concerned_conversions.site_id = :site_id::VARCHAR COLLATE "C") AS anon_1
WHERE True ON CONFLICT (site_id, kind, holder_id, fact_id) DO NOTHING;

INSERT INTO enqueued_stages (site_id, person_id, space, deal_id)
SELECT DISTINCT anon_1.site_id, anon_1.person_id, anon_1.space, anon_1.deal_id
FROM (SELECT dirty_conversions.site_id AS site_id, dirty_conversions.person_id AS person_id, dirty_conversions.space AS space, dirty_conversions.deal_id AS deal_id
FROM dirty_conversions
WHERE dirty_conversions.site_id = :site_id::VARCHAR COLLATE "C" AND dirty_conversions.person_id != ''::VARCHAR COLLATE "C") AS anon_1
WHERE True ON CONFLICT (site_id, person_id, space, deal_id) DO NOTHING;

INSERT INTO enqueued_sums (site_id, kind, day)
SELECT DISTINCT anon_1.site_id, anon_1.kind, anon_1.day
FROM (SELECT staged_ledger_entries.site_id AS site_id, staged_ledger_entries.kind AS kind, staged_ledger_entries.counted_on AS day
FROM staged_ledger_entries
WHERE staged_ledger_entries.site_id = :site_id::VARCHAR COLLATE "C" AND staged_ledger_entries.is_gone IS false) AS anon_1
WHERE True ON CONFLICT (site_id, kind, day) DO NOTHING;

INSERT INTO enqueued_opportunities (site_id, person_id, space, deal_id)
SELECT DISTINCT anon_1.site_id, anon_1.person_id, anon_1.space, anon_1.deal_id
FROM (SELECT :site_id::VARCHAR COLLATE "C" AS site_id, people.person_id AS person_id, ''::VARCHAR AS space, ''::VARCHAR AS deal_id
FROM (SELECT conversions.person_id AS person_id
FROM staged_conversions
JOIN conversions ON conversions.site_id = :site_id::VARCHAR COLLATE "C" AND conversions.kind = staged_conversions.kind AND conversions.holder_id = staged_conversions.holder_id AND conversions.fact_id = staged_conversions.fact_id
WHERE staged_conversions.site_id = :site_id::VARCHAR COLLATE "C" AND staged_conversions.kind IN (__[POSTCOMPILE_kind_1])
UNION SELECT staged_conversions.person_id AS person_id
FROM staged_conversions
WHERE staged_conversions.site_id = :site_id::VARCHAR COLLATE "C" AND staged_conversions.kind IN (__[POSTCOMPILE_kind_1]) AND staged_conversions.is_gone IS false) AS people) AS anon_1
WHERE True ON CONFLICT (site_id, person_id, space, deal_id) DO NOTHING;

INSERT INTO enqueued_sums (site_id, kind, day)
SELECT DISTINCT anon_1.site_id, anon_1.kind, anon_1.day
FROM (SELECT ledger_entries.site_id AS site_id, ledger_entries.kind AS kind, ledger_entries.counted_on AS day
FROM staged_conversions
JOIN ledger_entries ON ledger_entries.site_id = :site_id::VARCHAR COLLATE "C" AND ledger_entries.kind = staged_conversions.kind AND ledger_entries.holder_id = staged_conversions.holder_id AND ledger_entries.fact_id = staged_conversions.fact_id
WHERE staged_conversions.site_id = :site_id::VARCHAR COLLATE "C") AS anon_1
WHERE True ON CONFLICT (site_id, kind, day) DO NOTHING;

INSERT INTO enqueued_sums (site_id, kind, day)
SELECT DISTINCT anon_1.site_id, anon_1.kind, anon_1.day
FROM (SELECT ledger_entries.site_id AS site_id, ledger_entries.kind AS kind, ledger_entries.counted_on AS day
FROM staged_ledger_entries
JOIN ledger_entries ON ledger_entries.site_id = :site_id::VARCHAR COLLATE "C" AND ledger_entries.kind = staged_ledger_entries.kind AND ledger_entries.holder_id = staged_ledger_entries.holder_id AND ledger_entries.fact_id = staged_ledger_entries.fact_id
WHERE staged_ledger_entries.site_id = :site_id::VARCHAR COLLATE "C") AS anon_1
WHERE True ON CONFLICT (site_id, kind, day) DO NOTHING;

INSERT INTO journeys_queue (site_id, kind, holder_id, fact_id, received_at)
SELECT enqueued_journeys.site_id, enqueued_journeys.kind, enqueued_journeys.holder_id, enqueued_journeys.fact_id, :received_at::BIGINT AS anon_1
FROM enqueued_journeys
WHERE enqueued_journeys.site_id = :site_id::VARCHAR COLLATE "C";

INSERT INTO stages_queue (site_id, person_id, space, deal_id, received_at)
SELECT enqueued_stages.site_id, enqueued_stages.person_id, enqueued_stages.space, enqueued_stages.deal_id, :received_at::BIGINT AS anon_1
FROM enqueued_stages
WHERE enqueued_stages.site_id = :site_id::VARCHAR COLLATE "C";

INSERT INTO sums_queue (site_id, kind, day, received_at)
SELECT enqueued_sums.site_id, enqueued_sums.kind, enqueued_sums.day, :received_at::BIGINT AS anon_1
FROM enqueued_sums
WHERE enqueued_sums.site_id = :site_id::VARCHAR COLLATE "C" AND NOT (EXISTS (SELECT *
FROM sums_queue
WHERE sums_queue.site_id = enqueued_sums.site_id AND sums_queue.kind = enqueued_sums.kind AND sums_queue.day = enqueued_sums.day));

INSERT INTO opportunities_queue (site_id, person_id, space, deal_id, received_at)
SELECT enqueued_opportunities.site_id, enqueued_opportunities.person_id, enqueued_opportunities.space, enqueued_opportunities.deal_id, :received_at::BIGINT AS anon_1
FROM enqueued_opportunities
WHERE enqueued_opportunities.site_id = :site_id::VARCHAR COLLATE "C";
