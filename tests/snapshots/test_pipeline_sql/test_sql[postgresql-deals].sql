DELETE
FROM dirty_deals
WHERE dirty_deals.site_id = :site_id::VARCHAR COLLATE "C";

DELETE
FROM staged_deals
WHERE staged_deals.site_id = :site_id::VARCHAR COLLATE "C";

DELETE
FROM staged_deal_companies
WHERE staged_deal_companies.site_id = :site_id::VARCHAR COLLATE "C";

DELETE
FROM staged_deal_people
WHERE staged_deal_people.site_id = :site_id::VARCHAR COLLATE "C";

DELETE
FROM staged_deal_amounts
WHERE staged_deal_amounts.site_id = :site_id::VARCHAR COLLATE "C";

DELETE
FROM folded_deals
WHERE folded_deals.site_id = :site_id::VARCHAR COLLATE "C";

WITH fields_ranked AS
(SELECT deal_fields.space AS space, deal_fields.deal_id AS deal_id, deal_fields.field AS field, deal_fields.value AS value, deal_fields.occurred_at AS occurred_at, deal_fields.fact_id AS fact_id, row_number() OVER (PARTITION BY deal_fields.space, deal_fields.deal_id, deal_fields.field
ORDER BY deal_fields.occurred_at DESC, deal_fields.fact_id DESC) AS newest
FROM deal_fields
WHERE deal_fields.site_id = :site_id::VARCHAR COLLATE "C" AND (deal_fields.space, deal_fields.deal_id) IN (SELECT dirty_deals.space, dirty_deals.deal_id
FROM dirty_deals
WHERE dirty_deals.site_id = :site_id::VARCHAR COLLATE "C")),
fields_now AS
(SELECT fields_ranked.space AS space, fields_ranked.deal_id AS deal_id, fields_ranked.field AS field, fields_ranked.value AS value, fields_ranked.occurred_at AS occurred_at, fields_ranked.fact_id AS fact_id, fields_ranked.newest AS newest
FROM fields_ranked
WHERE fields_ranked.newest = 1::INTEGER)
 INSERT INTO folded_deals (site_id, space, deal_id, name, currency, closed_on, stage, pipeline, type, company_id, company_name, company_domain, owner, lost_reason, account_manager, recurring_period, url, visitor_id, contacts_fact_id, money_field, opened_at, per_minor, amount_minor, recurring_minor, money_minor, visitor_named_at)
SELECT :site_id::VARCHAR COLLATE "C" AS anon_1, seen.space, seen.deal_id, pivoted.name, coalesce(pivoted.currency, :site_currency::VARCHAR COLLATE "C") AS coalesce_1, pivoted.closed_on, pivoted.stage, pivoted.pipeline, pivoted.type, pivoted.company_id, pivoted.company_name, pivoted.company_domain, pivoted.owner, pivoted.lost_reason, pivoted.account_manager, pivoted.recurring_period, pivoted.url, pivoted.visitor_id, pivoted.contacts_fact_id, CASE WHEN (pivoted.amount IS NULL AND pivoted.recurring IS NOT NULL) THEN 'recurring'::VARCHAR ELSE 'amount'::VARCHAR END AS anon_2, pivoted.opened_at, CASE WHEN (coalesce(pivoted.currency, :site_currency::VARCHAR COLLATE "C") IN (__[POSTCOMPILE_coalesce_2])) THEN 10000::INTEGER WHEN (coalesce(pivoted.currency, :site_currency::VARCHAR COLLATE "C") IN (__[POSTCOMPILE_coalesce_3])) THEN 10::INTEGER WHEN (coalesce(pivoted.currency, :site_currency::VARCHAR COLLATE "C") IN (__[POSTCOMPILE_coalesce_4])) THEN 1::INTEGER ELSE 100::INTEGER END AS anon_3, CASE WHEN (pivoted.amount < 0::BIGINT) THEN -((abs(pivoted.amount) + CASE WHEN (coalesce(pivoted.currency, :site_currency::VARCHAR COLLATE "C") IN (__[POSTCOMPILE_coalesce_2])) THEN 10000::INTEGER WHEN (coalesce(pivoted.currency, :site_currency::VARCHAR COLLATE "C") IN (__[POSTCOMPILE_coalesce_3])) THEN 10::INTEGER WHEN (coalesce(pivoted.currency, :site_currency::VARCHAR COLLATE "C") IN (__[POSTCOMPILE_coalesce_4])) THEN 1::INTEGER ELSE 100::INTEGER END / 2::INTEGER) / CASE WHEN (coalesce(pivoted.currency, :site_currency::VARCHAR COLLATE "C") IN (__[POSTCOMPILE_coalesce_2])) THEN 10000::INTEGER WHEN (coalesce(pivoted.currency, :site_currency::VARCHAR COLLATE "C") IN (__[POSTCOMPILE_coalesce_3])) THEN 10::INTEGER WHEN (coalesce(pivoted.currency, :site_currency::VARCHAR COLLATE "C") IN (__[POSTCOMPILE_coalesce_4])) THEN 1::INTEGER ELSE 100::INTEGER END) ELSE (abs(pivoted.amount) + CASE WHEN (coalesce(pivoted.currency, :site_currency::VARCHAR COLLATE "C") IN (__[POSTCOMPILE_coalesce_2])) THEN 10000::INTEGER WHEN (coalesce(pivoted.currency, :site_currency::VARCHAR COLLATE "C") IN (__[POSTCOMPILE_coalesce_3])) THEN 10::INTEGER WHEN (coalesce(pivoted.currency, :site_currency::VARCHAR COLLATE "C") IN (__[POSTCOMPILE_coalesce_4])) THEN 1::INTEGER ELSE 100::INTEGER END / 2::INTEGER) / CASE WHEN (coalesce(pivoted.currency, :site_currency::VARCHAR COLLATE "C") IN (__[POSTCOMPILE_coalesce_2])) THEN 10000::INTEGER WHEN (coalesce(pivoted.currency, :site_currency::VARCHAR COLLATE "C") IN (__[POSTCOMPILE_coalesce_3])) THEN 10::INTEGER WHEN (coalesce(pivoted.currency, :site_currency::VARCHAR COLLATE "C") IN (__[POSTCOMPILE_coalesce_4])) THEN 1::INTEGER ELSE 100::INTEGER END END AS anon_4, CASE WHEN (pivoted.recurring < 0::BIGINT) THEN -((abs(pivoted.recurring) + CASE WHEN (coalesce(pivoted.currency, :site_currency::VARCHAR COLLATE "C") IN (__[POSTCOMPILE_coalesce_2])) THEN 10000::INTEGER WHEN (coalesce(pivoted.currency, :site_currency::VARCHAR COLLATE "C") IN (__[POSTCOMPILE_coalesce_3])) THEN 10::INTEGER WHEN (coalesce(pivoted.currency, :site_currency::VARCHAR COLLATE "C") IN (__[POSTCOMPILE_coalesce_4])) THEN 1::INTEGER ELSE 100::INTEGER END / 2::INTEGER) / CASE WHEN (coalesce(pivoted.currency, :site_currency::VARCHAR COLLATE "C") IN (__[POSTCOMPILE_coalesce_2])) THEN 10000::INTEGER WHEN (coalesce(pivoted.currency, :site_currency::VARCHAR COLLATE "C") IN (__[POSTCOMPILE_coalesce_3])) THEN 10::INTEGER WHEN (coalesce(pivoted.currency, :site_currency::VARCHAR COLLATE "C") IN (__[POSTCOMPILE_coalesce_4])) THEN 1::INTEGER ELSE 100::INTEGER END) ELSE (abs(pivoted.recurring) + CASE WHEN (coalesce(pivoted.currency, :site_currency::VARCHAR COLLATE "C") IN (__[POSTCOMPILE_coalesce_2])) THEN 10000::INTEGER WHEN (coalesce(pivoted.currency, :site_currency::VARCHAR COLLATE "C") IN (__[POSTCOMPILE_coalesce_3])) THEN 10::INTEGER WHEN (coalesce(pivoted.currency, :site_currency::VARCHAR COLLATE "C") IN (__[POSTCOMPILE_coalesce_4])) THEN 1::INTEGER ELSE 100::INTEGER END / 2::INTEGER) / CASE WHEN (coalesce(pivoted.currency, :site_currency::VARCHAR COLLATE "C") IN (__[POSTCOMPILE_coalesce_2])) THEN 10000::INTEGER WHEN (coalesce(pivoted.currency, :site_currency::VARCHAR COLLATE "C") IN (__[POSTCOMPILE_coalesce_3])) THEN 10::INTEGER WHEN (coalesce(pivoted.currency, :site_currency::VARCHAR COLLATE "C") IN (__[POSTCOMPILE_coalesce_4])) THEN 1::INTEGER ELSE 100::INTEGER END END AS anon_5, CASE WHEN (coalesce(pivoted.amount, pivoted.recurring) < 0::BIGINT) THEN -((abs(coalesce(pivoted.amount, pivoted.recurring)) + CASE WHEN (coalesce(pivoted.currency, :site_currency::VARCHAR COLLATE "C") IN (__[POSTCOMPILE_coalesce_2])) THEN 10000::INTEGER WHEN (coalesce(pivoted.currency, :site_currency::VARCHAR COLLATE "C") IN (__[POSTCOMPILE_coalesce_3])) THEN 10::INTEGER WHEN (coalesce(pivoted.currency, :site_currency::VARCHAR COLLATE "C") IN (__[POSTCOMPILE_coalesce_4])) THEN 1::INTEGER ELSE 100::INTEGER END / 2::INTEGER) / CASE WHEN (coalesce(pivoted.currency, :site_currency::VARCHAR COLLATE "C") IN (__[POSTCOMPILE_coalesce_2])) THEN 10000::INTEGER WHEN (coalesce(pivoted.currency, :site_currency::VARCHAR COLLATE "C") IN (__[POSTCOMPILE_coalesce_3])) THEN 10::INTEGER WHEN (coalesce(pivoted.currency, :site_currency::VARCHAR COLLATE "C") IN (__[POSTCOMPILE_coalesce_4])) THEN 1::INTEGER ELSE 100::INTEGER END) ELSE (abs(coalesce(pivoted.amount, pivoted.recurring)) + CASE WHEN (coalesce(pivoted.currency, :site_currency::VARCHAR COLLATE "C") IN (__[POSTCOMPILE_coalesce_2])) THEN 10000::INTEGER WHEN (coalesce(pivoted.currency, :site_currency::VARCHAR COLLATE "C") IN (__[POSTCOMPILE_coalesce_3])) THEN 10::INTEGER WHEN (coalesce(pivoted.currency, :site_currency::VARCHAR COLLATE "C") IN (__[POSTCOMPILE_coalesce_4])) THEN 1::INTEGER ELSE 100::INTEGER END / 2::INTEGER) / CASE WHEN (coalesce(pivoted.currency, :site_currency::VARCHAR COLLATE "C") IN (__[POSTCOMPILE_coalesce_2])) THEN 10000::INTEGER WHEN (coalesce(pivoted.currency, :site_currency::VARCHAR COLLATE "C") IN (__[POSTCOMPILE_coalesce_3])) THEN 10::INTEGER WHEN (coalesce(pivoted.currency, :site_currency::VARCHAR COLLATE "C") IN (__[POSTCOMPILE_coalesce_4])) THEN 1::INTEGER ELSE 100::INTEGER END END AS anon_6, pivoted.visitor_named_at
FROM (SELECT deal_changes.space AS space, deal_changes.deal_id AS deal_id, min(deal_changes.occurred_at) AS first_seen_at, max(CASE WHEN (deal_changes.change = 'churned'::VARCHAR) THEN deal_changes.occurred_at END) AS churned_at, max(CASE WHEN (deal_changes.change = 'deleted'::VARCHAR) THEN deal_changes.occurred_at END) AS deleted_at, max(CASE WHEN (deal_changes.change != 'deleted'::VARCHAR) THEN deal_changes.occurred_at END) AS told_at
FROM deal_changes
WHERE deal_changes.site_id = :site_id::VARCHAR COLLATE "C" AND (deal_changes.space, deal_changes.deal_id) IN (SELECT dirty_deals.space, dirty_deals.deal_id
FROM dirty_deals
WHERE dirty_deals.site_id = :site_id::VARCHAR COLLATE "C")
GROUP BY deal_changes.space, deal_changes.deal_id) AS seen
LEFT OUTER JOIN (SELECT fields_now.space AS space, fields_now.deal_id AS deal_id, max(CASE WHEN (fields_now.field = 'name'::VARCHAR COLLATE "C") THEN fields_now.value END) AS name, max(CASE WHEN (fields_now.field = 'currency'::VARCHAR COLLATE "C") THEN fields_now.value END) AS currency, max(CASE WHEN (fields_now.field = 'closed_on'::VARCHAR COLLATE "C") THEN fields_now.value END) AS closed_on, max(CASE WHEN (fields_now.field = 'stage'::VARCHAR COLLATE "C") THEN fields_now.value END) AS stage, max(CASE WHEN (fields_now.field = 'pipeline'::VARCHAR COLLATE "C") THEN fields_now.value END) AS pipeline, max(CASE WHEN (fields_now.field = 'type'::VARCHAR COLLATE "C") THEN fields_now.value END) AS type, max(CASE WHEN (fields_now.field = 'company_id'::VARCHAR COLLATE "C") THEN fields_now.value END) AS company_id, max(CASE WHEN (fields_now.field = 'company_name'::VARCHAR COLLATE "C") THEN fields_now.value END) AS company_name, max(CASE WHEN (fields_now.field = 'company_domain'::VARCHAR COLLATE "C") THEN fields_now.value END) AS company_domain, max(CASE WHEN (fields_now.field = 'owner'::VARCHAR COLLATE "C") THEN fields_now.value END) AS owner, max(CASE WHEN (fields_now.field = 'lost_reason'::VARCHAR COLLATE "C") THEN fields_now.value END) AS lost_reason, max(CASE WHEN (fields_now.field = 'account_manager'::VARCHAR COLLATE "C") THEN fields_now.value END) AS account_manager, max(CASE WHEN (fields_now.field = 'recurring_period'::VARCHAR COLLATE "C") THEN fields_now.value END) AS recurring_period, max(CASE WHEN (fields_now.field = 'url'::VARCHAR COLLATE "C") THEN fields_now.value END) AS url, max(CASE WHEN (fields_now.field = 'visitor_id'::VARCHAR COLLATE "C") THEN fields_now.value END) AS visitor_id, CAST(max(CASE WHEN (fields_now.field = 'opened_at'::VARCHAR COLLATE "C") THEN fields_now.value END) AS BIGINT) AS opened_at, CAST(max(CASE WHEN (fields_now.field = 'amount'::VARCHAR COLLATE "C") THEN fields_now.value END) AS BIGINT) AS amount, CAST(max(CASE WHEN (fields_now.field = 'recurring'::VARCHAR COLLATE "C") THEN fields_now.value END) AS BIGINT) AS recurring, max(CASE WHEN (fields_now.field = 'contacts'::VARCHAR COLLATE "C") THEN fields_now.fact_id END) AS contacts_fact_id, max(CASE WHEN (fields_now.field = 'visitor_id'::VARCHAR COLLATE "C") THEN fields_now.occurred_at END) AS visitor_named_at
FROM fields_now
GROUP BY fields_now.space, fields_now.deal_id) AS pivoted ON pivoted.space = seen.space AND pivoted.deal_id = seen.deal_id;

DELETE
FROM deal_outcomes
WHERE deal_outcomes.site_id = :site_id::VARCHAR COLLATE "C";

WITH outcomes_said AS
(SELECT deal_changes.space AS space, deal_changes.deal_id AS deal_id, deal_changes.occurred_at AS occurred_at, deal_changes.fact_id AS fact_id, 1::INTEGER AS way, deal_changes.change AS change
FROM deal_changes
WHERE deal_changes.site_id = :site_id::VARCHAR COLLATE "C" AND (deal_changes.space, deal_changes.deal_id) IN (SELECT dirty_deals.space, dirty_deals.deal_id
FROM dirty_deals
WHERE dirty_deals.site_id = :site_id::VARCHAR COLLATE "C") AND deal_changes.change IN (__[POSTCOMPILE_change_3])
UNION ALL SELECT deal_fields.space AS space, deal_fields.deal_id AS deal_id, deal_fields.occurred_at AS occurred_at, deal_fields.fact_id AS fact_id, 0::INTEGER AS way, CASE WHEN (deal_stages.outcome IN (__[POSTCOMPILE_outcome_1])) THEN deal_stages.outcome END AS change
FROM deal_fields
LEFT OUTER JOIN deal_stages ON deal_stages.site_id = :site_id::VARCHAR COLLATE "C" AND deal_stages.space = deal_fields.space AND deal_stages.stage = deal_fields.value
WHERE deal_fields.site_id = :site_id::VARCHAR COLLATE "C" AND (deal_fields.space, deal_fields.deal_id) IN (SELECT dirty_deals.space, dirty_deals.deal_id
FROM dirty_deals
WHERE dirty_deals.site_id = :site_id::VARCHAR COLLATE "C") AND deal_fields.field = 'stage'::VARCHAR COLLATE "C"),
outcomes_numbered AS
(SELECT outcomes_said.space AS space, outcomes_said.deal_id AS deal_id, outcomes_said.occurred_at AS occurred_at, outcomes_said.fact_id AS fact_id, outcomes_said.way AS way, outcomes_said.change AS change, count(outcomes_said.change) OVER (PARTITION BY outcomes_said.space, outcomes_said.deal_id
ORDER BY outcomes_said.occurred_at, outcomes_said.fact_id, outcomes_said.way ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS outcome_number
FROM outcomes_said),
outcomes_judged AS
(SELECT outcomes_numbered.space AS space, outcomes_numbered.deal_id AS deal_id, outcomes_numbered.occurred_at AS occurred_at, outcomes_numbered.fact_id AS fact_id, outcomes_numbered.way AS way, CASE WHEN (outcomes_numbered.change IS NOT NULL) THEN outcomes_numbered.change WHEN (max(CASE WHEN (outcomes_numbered.change IS NOT NULL AND outcomes_numbered.way = 0::INTEGER) THEN 1::INTEGER ELSE 0::INTEGER END) OVER (PARTITION BY outcomes_numbered.space, outcomes_numbered.deal_id, outcomes_numbered.outcome_number) = 1::INTEGER) THEN 'reopened'::VARCHAR ELSE NULL END AS change
FROM outcomes_numbered),
outcomes AS
(SELECT outcomes_judged.space AS space, outcomes_judged.deal_id AS deal_id, outcomes_judged.occurred_at AS occurred_at, outcomes_judged.fact_id AS fact_id, outcomes_judged.way AS way, outcomes_judged.change AS change
FROM outcomes_judged
WHERE outcomes_judged.change IS NOT NULL),
outcomes_compared AS
(SELECT outcomes.space AS space, outcomes.deal_id AS deal_id, outcomes.occurred_at AS occurred_at, outcomes.fact_id AS fact_id, outcomes.way AS way, outcomes.change AS change, lag(outcomes.change, 1::INTEGER, 'reopened'::VARCHAR) OVER (PARTITION BY outcomes.space, outcomes.deal_id
ORDER BY outcomes.occurred_at, outcomes.fact_id, outcomes.way) AS change_before
FROM outcomes),
outcomes_turned AS
(SELECT outcomes_compared.space AS space, outcomes_compared.deal_id AS deal_id, outcomes_compared.occurred_at AS occurred_at, outcomes_compared.fact_id AS fact_id, outcomes_compared.way AS way, outcomes_compared.change AS change, outcomes_compared.change_before AS change_before, outcomes_compared.change = 'reopened'::VARCHAR OR outcomes_compared.change = 'won'::VARCHAR AND outcomes_compared.change_before = 'lost'::VARCHAR AS reopens, row_number() OVER (PARTITION BY outcomes_compared.space, outcomes_compared.deal_id
ORDER BY outcomes_compared.occurred_at, outcomes_compared.fact_id, outcomes_compared.way) AS place
FROM outcomes_compared
WHERE outcomes_compared.change IS DISTINCT
FROM outcomes_compared.change_before),
turns AS
(SELECT outcomes_turned.space AS space, outcomes_turned.deal_id AS deal_id, outcomes_turned.occurred_at AS occurred_at, outcomes_turned.fact_id AS fact_id, outcomes_turned.way AS way, outcomes_turned.change AS change, outcomes_turned.change_before AS change_before, outcomes_turned.reopens AS reopens, outcomes_turned.place AS place, max(outcomes_turned.place) OVER (PARTITION BY outcomes_turned.space, outcomes_turned.deal_id) AS last_place, max(CASE WHEN outcomes_turned.reopens THEN outcomes_turned.place END) OVER (PARTITION BY outcomes_turned.space, outcomes_turned.deal_id) AS reopening_place
FROM outcomes_turned)
 INSERT INTO deal_outcomes (site_id, space, deal_id, outcome, turned_at, fact_id, reopened_at, reopening_fact_id)
SELECT :site_id::VARCHAR COLLATE "C" AS anon_1, turns.space, turns.deal_id, max(CASE WHEN (turns.place = turns.last_place) THEN turns.change END) AS max_1, max(CASE WHEN (turns.place = turns.last_place) THEN turns.occurred_at END) AS max_2, max(CASE WHEN (turns.place = turns.last_place) THEN turns.fact_id END) AS max_3, max(CASE WHEN (turns.place = turns.reopening_place) THEN turns.occurred_at END) AS max_4, max(CASE WHEN (turns.place = turns.reopening_place) THEN turns.fact_id END) AS max_5
FROM turns
GROUP BY turns.space, turns.deal_id;

INSERT INTO staged_deal_people (site_id, space, deal_id, person_id, is_contact, is_gone)
SELECT :site_id::VARCHAR COLLATE "C" AS site_id, people.space, people.deal_id, people.person_id, true AS is_contact, false AS is_gone
FROM (SELECT folded_deals.space AS space, folded_deals.deal_id AS deal_id, min(key_people.person_id) AS person_id
FROM folded_deals
JOIN deal_contacts ON deal_contacts.site_id = :site_id::VARCHAR COLLATE "C" AND deal_contacts.space = folded_deals.space AND deal_contacts.deal_id = folded_deals.deal_id AND deal_contacts.fact_id = folded_deals.contacts_fact_id
JOIN link_keys ON link_keys.site_id = :site_id::VARCHAR COLLATE "C" AND link_keys.link_id = deal_contacts.link_id
JOIN key_people ON key_people.site_id = :site_id::VARCHAR COLLATE "C" AND key_people.key_id = link_keys.key_id
WHERE folded_deals.site_id = :site_id::VARCHAR COLLATE "C"
GROUP BY folded_deals.space, folded_deals.deal_id, deal_contacts.link_id
UNION SELECT folded_deals.space AS space, folded_deals.deal_id AS deal_id, visitor_spans.person_id AS person_id
FROM folded_deals
JOIN visitor_spans ON visitor_spans.site_id = :site_id::VARCHAR COLLATE "C" AND visitor_spans.visitor_id = folded_deals.visitor_id AND visitor_spans.starts_at <= folded_deals.visitor_named_at AND visitor_spans.ends_at > folded_deals.visitor_named_at
WHERE folded_deals.site_id = :site_id::VARCHAR COLLATE "C" AND NOT (EXISTS (SELECT *
FROM deal_contacts
WHERE deal_contacts.site_id = :site_id::VARCHAR COLLATE "C" AND deal_contacts.space = folded_deals.space AND deal_contacts.deal_id = folded_deals.deal_id AND deal_contacts.fact_id = folded_deals.contacts_fact_id))) AS people;

INSERT INTO staged_deals (site_id, space, deal_id, name, outcome, first_seen_at, opened_at, won_at, lost_at, churned_at, closed_on, currency, amount_minor, recurring_minor, recurring_period, stage, pipeline, type, company_id, company_name, company_domain, owner, lost_reason, url, account_manager, ignored_because, has_contacts, is_gone)
SELECT :site_id::VARCHAR COLLATE "C" AS site_id, seen.space AS space, seen.deal_id AS deal_id, folded_deals.name, CASE WHEN (deal_outcomes.outcome IN (__[POSTCOMPILE_outcome_1])) THEN deal_outcomes.outcome ELSE 'open'::VARCHAR END AS outcome, seen.first_seen_at AS first_seen_at, CASE WHEN (deal_outcomes.outcome = 'won'::VARCHAR COLLATE "C") THEN least(coalesce(folded_deals.opened_at, seen.first_seen_at), deal_outcomes.turned_at) ELSE coalesce(folded_deals.opened_at, seen.first_seen_at) END AS opened_at, CASE WHEN (deal_outcomes.outcome = 'won'::VARCHAR COLLATE "C") THEN deal_outcomes.turned_at END AS won_at, CASE WHEN (deal_outcomes.outcome = 'lost'::VARCHAR COLLATE "C") THEN deal_outcomes.turned_at END AS lost_at, CASE WHEN (CASE WHEN (deal_outcomes.outcome = 'won'::VARCHAR COLLATE "C") THEN deal_outcomes.turned_at END IS NULL OR seen.churned_at >= CASE WHEN (deal_outcomes.outcome = 'won'::VARCHAR COLLATE "C") THEN deal_outcomes.turned_at END) THEN seen.churned_at END AS churned_at, folded_deals.closed_on, folded_deals.currency, CASE WHEN (folded_deals.money_minor IS NOT NULL OR (SELECT CAST(sum(CASE WHEN (deal_changes.amount < 0::BIGINT) THEN -((abs(deal_changes.amount) + folded_deals.per_minor / 2::BIGINT) / folded_deals.per_minor) ELSE (abs(deal_changes.amount) + folded_deals.per_minor / 2::BIGINT) / folded_deals.per_minor END) AS BIGINT) AS sum_1
FROM deal_changes
WHERE deal_changes.site_id = :site_id::VARCHAR COLLATE "C" AND deal_changes.change = 'adjusted'::VARCHAR AND (deal_outcomes.reopened_at IS NULL OR deal_changes.occurred_at > deal_outcomes.reopened_at OR deal_changes.occurred_at = deal_outcomes.reopened_at AND deal_changes.fact_id > deal_outcomes.reopening_fact_id) AND deal_changes.space = folded_deals.space AND deal_changes.deal_id = folded_deals.deal_id) IS NOT NULL) THEN coalesce(folded_deals.money_minor, 0::INTEGER) + coalesce((SELECT CAST(sum(CASE WHEN (deal_changes.amount < 0::BIGINT) THEN -((abs(deal_changes.amount) + folded_deals.per_minor / 2::BIGINT) / folded_deals.per_minor) ELSE (abs(deal_changes.amount) + folded_deals.per_minor / 2::BIGINT) / folded_deals.per_minor END) AS BIGINT) AS sum_1
FROM deal_changes
WHERE deal_changes.site_id = :site_id::VARCHAR COLLATE "C" AND deal_changes.change = 'adjusted'::VARCHAR AND (deal_outcomes.reopened_at IS NULL OR deal_changes.occurred_at > deal_outcomes.reopened_at OR deal_changes.occurred_at = deal_outcomes.reopened_at AND deal_changes.fact_id > deal_outcomes.reopening_fact_id) AND deal_changes.space = folded_deals.space AND deal_changes.deal_id = folded_deals.deal_id), 0::INTEGER) END AS amount_minor, folded_deals.recurring_minor, folded_deals.recurring_period, folded_deals.stage, folded_deals.pipeline, folded_deals.type, folded_deals.company_id, folded_deals.company_name, folded_deals.company_domain, folded_deals.owner, folded_deals.lost_reason, folded_deals.url, folded_deals.account_manager, CASE WHEN (seen.deleted_at >= coalesce(seen.told_at, seen.deleted_at)) THEN 'deleted'::VARCHAR WHEN ((EXISTS (SELECT *
FROM deal_pipelines
WHERE deal_pipelines.site_id = :site_id::VARCHAR COLLATE "C" AND deal_pipelines.space = seen.space)) AND NOT (EXISTS (SELECT *
FROM deal_pipelines
WHERE deal_pipelines.site_id = :site_id::VARCHAR COLLATE "C" AND deal_pipelines.space = seen.space AND deal_pipelines.pipeline = coalesce(folded_deals.pipeline, ''::VARCHAR)))) THEN 'pipeline'::VARCHAR WHEN (EXISTS (SELECT *
FROM deal_stages
WHERE deal_stages.site_id = :site_id::VARCHAR COLLATE "C" AND deal_stages.space = seen.space AND deal_stages.stage = folded_deals.stage AND deal_stages.outcome = 'ignored'::VARCHAR)) THEN 'stage'::VARCHAR WHEN (EXISTS (SELECT *
FROM excluded_deals
WHERE excluded_deals.site_id = :site_id::VARCHAR COLLATE "C" AND lower(folded_deals.name) LIKE excluded_deals.pattern ESCAPE '\')) THEN 'excluded'::VARCHAR END AS ignored_because, (EXISTS (SELECT *
FROM deal_contacts
WHERE deal_contacts.site_id = :site_id::VARCHAR COLLATE "C" AND deal_contacts.space = folded_deals.space AND deal_contacts.deal_id = folded_deals.deal_id AND deal_contacts.fact_id = folded_deals.contacts_fact_id)) OR folded_deals.visitor_id IS NOT NULL AS has_contacts, false AS is_gone
FROM (SELECT deal_changes.space AS space, deal_changes.deal_id AS deal_id, min(deal_changes.occurred_at) AS first_seen_at, max(CASE WHEN (deal_changes.change = 'churned'::VARCHAR) THEN deal_changes.occurred_at END) AS churned_at, max(CASE WHEN (deal_changes.change = 'deleted'::VARCHAR) THEN deal_changes.occurred_at END) AS deleted_at, max(CASE WHEN (deal_changes.change != 'deleted'::VARCHAR) THEN deal_changes.occurred_at END) AS told_at
FROM deal_changes
WHERE deal_changes.site_id = :site_id::VARCHAR COLLATE "C" AND (deal_changes.space, deal_changes.deal_id) IN (SELECT dirty_deals.space, dirty_deals.deal_id
FROM dirty_deals
WHERE dirty_deals.site_id = :site_id::VARCHAR COLLATE "C")
GROUP BY deal_changes.space, deal_changes.deal_id) AS seen
JOIN folded_deals ON folded_deals.site_id = :site_id::VARCHAR COLLATE "C" AND folded_deals.space = seen.space AND folded_deals.deal_id = seen.deal_id
LEFT OUTER JOIN deal_outcomes ON deal_outcomes.site_id = :site_id::VARCHAR COLLATE "C" AND deal_outcomes.space = seen.space AND deal_outcomes.deal_id = seen.deal_id;

WITH amounts_sent AS
(SELECT deal_fields.space AS space, deal_fields.deal_id AS deal_id, deal_fields.occurred_at AS occurred_at, deal_fields.fact_id AS fact_id, CASE WHEN (CAST(deal_fields.value AS BIGINT) < 0::BIGINT) THEN -((abs(CAST(deal_fields.value AS BIGINT)) + folded_deals.per_minor / 2::BIGINT) / folded_deals.per_minor) ELSE (abs(CAST(deal_fields.value AS BIGINT)) + folded_deals.per_minor / 2::BIGINT) / folded_deals.per_minor END AS amount, deal_outcomes.turned_at AS won_at, deal_outcomes.fact_id AS win_fact_id, CASE WHEN (deal_fields.occurred_at > deal_outcomes.turned_at) THEN 1::INTEGER ELSE 0::INTEGER END AS is_later
FROM deal_outcomes
JOIN folded_deals ON folded_deals.site_id = :site_id::VARCHAR COLLATE "C" AND folded_deals.space = deal_outcomes.space AND folded_deals.deal_id = deal_outcomes.deal_id
JOIN deal_fields ON deal_fields.site_id = :site_id::VARCHAR COLLATE "C" AND deal_fields.space = folded_deals.space AND deal_fields.deal_id = folded_deals.deal_id AND deal_fields.field = folded_deals.money_field
WHERE deal_outcomes.site_id = :site_id::VARCHAR COLLATE "C" AND deal_outcomes.outcome = 'won'::VARCHAR COLLATE "C"),
prices_sent AS
(SELECT amounts_sent.space AS space, amounts_sent.deal_id AS deal_id, amounts_sent.occurred_at AS occurred_at, amounts_sent.fact_id AS fact_id, amounts_sent.amount AS amount, amounts_sent.won_at AS won_at, amounts_sent.win_fact_id AS win_fact_id, amounts_sent.is_later AS is_later, coalesce(lag(amounts_sent.amount) OVER (PARTITION BY amounts_sent.space, amounts_sent.deal_id
ORDER BY amounts_sent.occurred_at, amounts_sent.fact_id), 0::INTEGER) AS amount_before, row_number() OVER (PARTITION BY amounts_sent.space, amounts_sent.deal_id
ORDER BY amounts_sent.occurred_at, amounts_sent.fact_id) AS place
FROM amounts_sent),
prices_compared AS
(SELECT prices_sent.space AS space, prices_sent.deal_id AS deal_id, prices_sent.occurred_at AS occurred_at, prices_sent.fact_id AS fact_id, prices_sent.amount AS amount, prices_sent.won_at AS won_at, prices_sent.win_fact_id AS win_fact_id, prices_sent.is_later AS is_later, prices_sent.amount_before AS amount_before, prices_sent.place AS place, max(CASE WHEN (prices_sent.is_later = 0::INTEGER) THEN prices_sent.place END) OVER (PARTITION BY prices_sent.space, prices_sent.deal_id) AS last_at_win
FROM prices_sent),
prices AS
(SELECT prices_compared.space AS space, prices_compared.deal_id AS deal_id, prices_compared.occurred_at AS occurred_at, prices_compared.fact_id AS fact_id, prices_compared.amount AS amount, prices_compared.won_at AS won_at, prices_compared.win_fact_id AS win_fact_id, prices_compared.is_later AS is_later, prices_compared.amount_before AS amount_before, prices_compared.place AS place, prices_compared.last_at_win AS last_at_win, min(CASE WHEN (prices_compared.amount IS NOT NULL AND (prices_compared.is_later = 1::INTEGER OR prices_compared.place = prices_compared.last_at_win)) THEN prices_compared.place END) OVER (PARTITION BY prices_compared.space, prices_compared.deal_id) AS win_place
FROM prices_compared),
changes_of_net AS
(SELECT deal_outcomes.space AS space, deal_outcomes.deal_id AS deal_id, CASE WHEN false THEN 1::INTEGER ELSE 0::INTEGER END AS is_later, CASE WHEN false THEN deal_outcomes.turned_at ELSE deal_outcomes.turned_at END AS occurred_at, CASE WHEN false THEN deal_outcomes.fact_id ELSE deal_outcomes.fact_id END AS fact_id, 0::INTEGER AS difference
FROM deal_outcomes
WHERE deal_outcomes.site_id = :site_id::VARCHAR COLLATE "C" AND deal_outcomes.outcome = 'won'::VARCHAR COLLATE "C"
UNION ALL SELECT prices.space AS space, prices.deal_id AS deal_id, CASE WHEN (prices.place > prices.win_place) THEN 1::INTEGER ELSE 0::INTEGER END AS is_later, CASE WHEN (prices.place > prices.win_place) THEN prices.occurred_at ELSE prices.won_at END AS occurred_at, CASE WHEN (prices.place > prices.win_place) THEN prices.fact_id ELSE prices.win_fact_id END AS fact_id, CASE WHEN (prices.place = prices.win_place) THEN prices.amount ELSE coalesce(prices.amount, 0::INTEGER) - prices.amount_before END AS difference
FROM prices
WHERE prices.place >= prices.win_place
UNION ALL SELECT deal_changes.space AS space, deal_changes.deal_id AS deal_id, CASE WHEN (deal_changes.occurred_at > deal_outcomes.turned_at) THEN 1::INTEGER ELSE 0::INTEGER END AS is_later, CASE WHEN (deal_changes.occurred_at > deal_outcomes.turned_at) THEN deal_changes.occurred_at ELSE deal_outcomes.turned_at END AS occurred_at, CASE WHEN (deal_changes.occurred_at > deal_outcomes.turned_at) THEN deal_changes.fact_id ELSE deal_outcomes.fact_id END AS fact_id, CASE WHEN (deal_changes.amount < 0::BIGINT) THEN -((abs(deal_changes.amount) + folded_deals.per_minor / 2::BIGINT) / folded_deals.per_minor) ELSE (abs(deal_changes.amount) + folded_deals.per_minor / 2::BIGINT) / folded_deals.per_minor END AS difference
FROM deal_outcomes
JOIN deal_changes ON deal_changes.space = deal_outcomes.space AND deal_changes.deal_id = deal_outcomes.deal_id AND deal_changes.site_id = :site_id::VARCHAR COLLATE "C" AND deal_changes.change = 'adjusted'::VARCHAR AND (deal_outcomes.reopened_at IS NULL OR deal_changes.occurred_at > deal_outcomes.reopened_at OR deal_changes.occurred_at = deal_outcomes.reopened_at AND deal_changes.fact_id > deal_outcomes.reopening_fact_id)
JOIN folded_deals ON folded_deals.site_id = :site_id::VARCHAR COLLATE "C" AND folded_deals.space = deal_outcomes.space AND folded_deals.deal_id = deal_outcomes.deal_id
WHERE deal_outcomes.site_id = :site_id::VARCHAR COLLATE "C" AND deal_outcomes.outcome = 'won'::VARCHAR COLLATE "C"),
moments AS
(SELECT changes_of_net.space AS space, changes_of_net.deal_id AS deal_id, changes_of_net.occurred_at AS occurred_at, changes_of_net.fact_id AS fact_id, CAST(sum(changes_of_net.difference) AS BIGINT) AS difference
FROM changes_of_net
GROUP BY changes_of_net.space, changes_of_net.deal_id, changes_of_net.is_later, changes_of_net.occurred_at, changes_of_net.fact_id
HAVING changes_of_net.is_later = 0::INTEGER OR sum(changes_of_net.difference) != 0::INTEGER)
 INSERT INTO staged_deal_amounts (site_id, space, deal_id, entry, occurred_at, before_minor, after_minor, fact_id, is_gone)
SELECT :site_id::VARCHAR COLLATE "C" AS site_id, moments.space, moments.deal_id, row_number() OVER (PARTITION BY moments.space, moments.deal_id
ORDER BY moments.occurred_at, moments.fact_id) - 1::INTEGER AS entry, moments.occurred_at, CAST(sum(moments.difference) OVER (PARTITION BY moments.space, moments.deal_id
ORDER BY moments.occurred_at, moments.fact_id ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS BIGINT) - moments.difference AS before_minor, CAST(sum(moments.difference) OVER (PARTITION BY moments.space, moments.deal_id
ORDER BY moments.occurred_at, moments.fact_id ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS BIGINT) AS after_minor, moments.fact_id, false AS is_gone
FROM moments;

SELECT EXISTS (SELECT *
FROM deals
WHERE deals.site_id = :site_id::VARCHAR COLLATE "C" AND (deals.space, deals.deal_id) IN (SELECT dirty_deals.space, dirty_deals.deal_id
FROM dirty_deals
WHERE dirty_deals.site_id = :site_id::VARCHAR COLLATE "C")) AS anon_1;

SELECT staged_deals.is_gone, count(*) AS number
FROM staged_deals
WHERE staged_deals.site_id = :site_id::VARCHAR COLLATE "C"
GROUP BY staged_deals.is_gone;

SELECT EXISTS (SELECT *
FROM deal_companies
WHERE deal_companies.site_id = :site_id::VARCHAR COLLATE "C" AND (deal_companies.space, deal_companies.deal_id) IN (SELECT dirty_deals.space, dirty_deals.deal_id
FROM dirty_deals
WHERE dirty_deals.site_id = :site_id::VARCHAR COLLATE "C")) AS anon_1;

SELECT staged_deal_companies.is_gone, count(*) AS number
FROM staged_deal_companies
WHERE staged_deal_companies.site_id = :site_id::VARCHAR COLLATE "C"
GROUP BY staged_deal_companies.is_gone;

SELECT EXISTS (SELECT *
FROM deal_people
WHERE deal_people.site_id = :site_id::VARCHAR COLLATE "C" AND (deal_people.space, deal_people.deal_id) IN (SELECT dirty_deals.space, dirty_deals.deal_id
FROM dirty_deals
WHERE dirty_deals.site_id = :site_id::VARCHAR COLLATE "C")) AS anon_1;

SELECT staged_deal_people.is_gone, count(*) AS number
FROM staged_deal_people
WHERE staged_deal_people.site_id = :site_id::VARCHAR COLLATE "C"
GROUP BY staged_deal_people.is_gone;

SELECT EXISTS (SELECT *
FROM deal_amounts
WHERE deal_amounts.site_id = :site_id::VARCHAR COLLATE "C" AND (deal_amounts.space, deal_amounts.deal_id) IN (SELECT dirty_deals.space, dirty_deals.deal_id
FROM dirty_deals
WHERE dirty_deals.site_id = :site_id::VARCHAR COLLATE "C")) AS anon_1;

SELECT staged_deal_amounts.is_gone, count(*) AS number
FROM staged_deal_amounts
WHERE staged_deal_amounts.site_id = :site_id::VARCHAR COLLATE "C"
GROUP BY staged_deal_amounts.is_gone;

DELETE
FROM enqueued_conversions
WHERE enqueued_conversions.site_id = :site_id::VARCHAR COLLATE "C";

DELETE
FROM enqueued_opportunities
WHERE enqueued_opportunities.site_id = :site_id::VARCHAR COLLATE "C";

DELETE
FROM enqueued_stages
WHERE enqueued_stages.site_id = :site_id::VARCHAR COLLATE "C";

INSERT INTO enqueued_conversions (site_id, person_id, space, deal_id)
SELECT DISTINCT anon_1.site_id, anon_1.person_id, anon_1.space, anon_1.deal_id
FROM (SELECT staged_deals.site_id AS site_id, ''::VARCHAR AS person_id, staged_deals.space AS space, staged_deals.deal_id AS deal_id
FROM staged_deals
WHERE staged_deals.site_id = :site_id::VARCHAR COLLATE "C") AS anon_1
WHERE True ON CONFLICT (site_id, person_id, space, deal_id) DO NOTHING;

INSERT INTO enqueued_conversions (site_id, person_id, space, deal_id)
SELECT DISTINCT anon_1.site_id, anon_1.person_id, anon_1.space, anon_1.deal_id
FROM (SELECT staged_deal_people.site_id AS site_id, ''::VARCHAR AS person_id, staged_deal_people.space AS space, staged_deal_people.deal_id AS deal_id
FROM staged_deal_people
WHERE staged_deal_people.site_id = :site_id::VARCHAR COLLATE "C") AS anon_1
WHERE True ON CONFLICT (site_id, person_id, space, deal_id) DO NOTHING;

INSERT INTO enqueued_conversions (site_id, person_id, space, deal_id)
SELECT DISTINCT anon_1.site_id, anon_1.person_id, anon_1.space, anon_1.deal_id
FROM (SELECT staged_deal_amounts.site_id AS site_id, ''::VARCHAR AS person_id, staged_deal_amounts.space AS space, staged_deal_amounts.deal_id AS deal_id
FROM staged_deal_amounts
WHERE staged_deal_amounts.site_id = :site_id::VARCHAR COLLATE "C") AS anon_1
WHERE True ON CONFLICT (site_id, person_id, space, deal_id) DO NOTHING;

INSERT INTO enqueued_opportunities (site_id, person_id, space, deal_id)
SELECT DISTINCT anon_1.site_id, anon_1.person_id, anon_1.space, anon_1.deal_id
FROM (SELECT staged_deals.site_id AS site_id, ''::VARCHAR AS person_id, staged_deals.space AS space, staged_deals.deal_id AS deal_id
FROM staged_deals
WHERE staged_deals.site_id = :site_id::VARCHAR COLLATE "C") AS anon_1
WHERE True ON CONFLICT (site_id, person_id, space, deal_id) DO NOTHING;

INSERT INTO enqueued_opportunities (site_id, person_id, space, deal_id)
SELECT DISTINCT anon_1.site_id, anon_1.person_id, anon_1.space, anon_1.deal_id
FROM (SELECT staged_deal_people.site_id AS site_id, ''::VARCHAR AS person_id, staged_deal_people.space AS space, staged_deal_people.deal_id AS deal_id
FROM staged_deal_people
WHERE staged_deal_people.site_id = :site_id::VARCHAR COLLATE "C") AS anon_1
WHERE True ON CONFLICT (site_id, person_id, space, deal_id) DO NOTHING;

INSERT INTO enqueued_opportunities (site_id, person_id, space, deal_id)
SELECT DISTINCT anon_1.site_id, anon_1.person_id, anon_1.space, anon_1.deal_id
FROM (SELECT staged_deal_people.site_id AS site_id, staged_deal_people.person_id AS person_id, ''::VARCHAR AS space, ''::VARCHAR AS deal_id
FROM staged_deal_people
WHERE staged_deal_people.site_id = :site_id::VARCHAR COLLATE "C") AS anon_1
WHERE True ON CONFLICT (site_id, person_id, space, deal_id) DO NOTHING;

INSERT INTO enqueued_stages (site_id, person_id, space, deal_id)
SELECT DISTINCT anon_1.site_id, anon_1.person_id, anon_1.space, anon_1.deal_id
FROM (SELECT dirty_deals.site_id AS site_id, ''::VARCHAR AS person_id, dirty_deals.space AS space, dirty_deals.deal_id AS deal_id
FROM dirty_deals
WHERE dirty_deals.site_id = :site_id::VARCHAR COLLATE "C") AS anon_1
WHERE True ON CONFLICT (site_id, person_id, space, deal_id) DO NOTHING;

INSERT INTO enqueued_stages (site_id, person_id, space, deal_id)
SELECT DISTINCT anon_1.site_id, anon_1.person_id, anon_1.space, anon_1.deal_id
FROM (SELECT people.site_id AS site_id, people.person_id AS person_id, ''::VARCHAR AS space, ''::VARCHAR AS deal_id
FROM (SELECT deal_people.site_id AS site_id, deal_people.person_id AS person_id
FROM deal_people
WHERE deal_people.site_id = :site_id::VARCHAR COLLATE "C" AND (deal_people.space, deal_people.deal_id) IN (SELECT dirty_deals.space, dirty_deals.deal_id
FROM dirty_deals
WHERE dirty_deals.site_id = :site_id::VARCHAR COLLATE "C")
UNION SELECT staged_deal_people.site_id AS site_id, staged_deal_people.person_id AS person_id
FROM staged_deal_people
WHERE staged_deal_people.site_id = :site_id::VARCHAR COLLATE "C") AS people) AS anon_1
WHERE True ON CONFLICT (site_id, person_id, space, deal_id) DO NOTHING;

INSERT INTO conversions_queue (site_id, person_id, space, deal_id, received_at)
SELECT enqueued_conversions.site_id, enqueued_conversions.person_id, enqueued_conversions.space, enqueued_conversions.deal_id, :received_at::BIGINT AS anon_1
FROM enqueued_conversions
WHERE enqueued_conversions.site_id = :site_id::VARCHAR COLLATE "C";

INSERT INTO opportunities_queue (site_id, person_id, space, deal_id, received_at)
SELECT enqueued_opportunities.site_id, enqueued_opportunities.person_id, enqueued_opportunities.space, enqueued_opportunities.deal_id, :received_at::BIGINT AS anon_1
FROM enqueued_opportunities
WHERE enqueued_opportunities.site_id = :site_id::VARCHAR COLLATE "C";

INSERT INTO stages_queue (site_id, person_id, space, deal_id, received_at)
SELECT enqueued_stages.site_id, enqueued_stages.person_id, enqueued_stages.space, enqueued_stages.deal_id, :received_at::BIGINT AS anon_1
FROM enqueued_stages
WHERE enqueued_stages.site_id = :site_id::VARCHAR COLLATE "C";
