DELETE
FROM dirty_stages
WHERE dirty_stages.site_id = :site_id;

DELETE
FROM staged_stage_changes
WHERE staged_stage_changes.site_id = :site_id;

DELETE
FROM concerned_deals
WHERE concerned_deals.site_id = :site_id;

INSERT INTO concerned_deals (site_id, space, deal_id)
SELECT dirty_stages.site_id, dirty_stages.space, dirty_stages.deal_id
FROM dirty_stages
WHERE dirty_stages.site_id = :site_id AND dirty_stages.person_id = ''
UNION SELECT deal_people.site_id, deal_people.space, deal_people.deal_id
FROM dirty_stages
JOIN deal_people ON deal_people.site_id = :site_id AND deal_people.person_id = dirty_stages.person_id AND deal_people.is_contact IS 1
WHERE dirty_stages.site_id = :site_id AND dirty_stages.person_id != '';

WITH crm_stages_said AS
(SELECT deal_fields.space AS space, deal_fields.deal_id AS deal_id, deal_fields.value AS value, deal_fields.occurred_at AS at, deal_fields.fact_id AS fact_id, lag(deal_fields.value) OVER (PARTITION BY deal_fields.space, deal_fields.deal_id
ORDER BY deal_fields.occurred_at, deal_fields.fact_id) AS value_before
FROM deal_fields
WHERE deal_fields.site_id = :site_id AND (deal_fields.space, deal_fields.deal_id) IN (SELECT concerned_deals.space, concerned_deals.deal_id
FROM concerned_deals
WHERE concerned_deals.site_id = :site_id) AND deal_fields.field = 'stage'),
outcomes_said AS
(SELECT deal_changes.space AS space, deal_changes.deal_id AS deal_id, deal_changes.occurred_at AS occurred_at, deal_changes.fact_id AS fact_id, 1 AS way, deal_changes.change AS change
FROM deal_changes
WHERE deal_changes.site_id = :site_id AND (deal_changes.space, deal_changes.deal_id) IN (SELECT concerned_deals.space, concerned_deals.deal_id
FROM concerned_deals
WHERE concerned_deals.site_id = :site_id) AND deal_changes.change IN (__[POSTCOMPILE_change_3])
UNION ALL SELECT deal_fields.space AS space, deal_fields.deal_id AS deal_id, deal_fields.occurred_at AS occurred_at, deal_fields.fact_id AS fact_id, 0 AS way, CASE WHEN (deal_stages.outcome IN (__[POSTCOMPILE_outcome_1])) THEN deal_stages.outcome END AS change
FROM deal_fields
LEFT OUTER JOIN deal_stages ON deal_stages.site_id = :site_id AND deal_stages.space = deal_fields.space AND deal_stages.stage = deal_fields.value
WHERE deal_fields.site_id = :site_id AND (deal_fields.space, deal_fields.deal_id) IN (SELECT concerned_deals.space, concerned_deals.deal_id
FROM concerned_deals
WHERE concerned_deals.site_id = :site_id) AND deal_fields.field = 'stage'),
outcomes_numbered AS
(SELECT outcomes_said.space AS space, outcomes_said.deal_id AS deal_id, outcomes_said.occurred_at AS occurred_at, outcomes_said.fact_id AS fact_id, outcomes_said.way AS way, outcomes_said.change AS change, count(outcomes_said.change) OVER (PARTITION BY outcomes_said.space, outcomes_said.deal_id
ORDER BY outcomes_said.occurred_at, outcomes_said.fact_id, outcomes_said.way ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS outcome_number
FROM outcomes_said),
outcomes_judged AS
(SELECT outcomes_numbered.space AS space, outcomes_numbered.deal_id AS deal_id, outcomes_numbered.occurred_at AS occurred_at, outcomes_numbered.fact_id AS fact_id, outcomes_numbered.way AS way, CASE WHEN (outcomes_numbered.change IS NOT NULL) THEN outcomes_numbered.change WHEN (max(CASE WHEN (outcomes_numbered.change IS NOT NULL AND outcomes_numbered.way = 0) THEN 1 ELSE 0 END) OVER (PARTITION BY outcomes_numbered.space, outcomes_numbered.deal_id, outcomes_numbered.outcome_number) = 1) THEN 'reopened' ELSE NULL END AS change
FROM outcomes_numbered),
outcomes AS
(SELECT outcomes_judged.space AS space, outcomes_judged.deal_id AS deal_id, outcomes_judged.occurred_at AS occurred_at, outcomes_judged.fact_id AS fact_id, outcomes_judged.way AS way, outcomes_judged.change AS change
FROM outcomes_judged
WHERE outcomes_judged.change IS NOT NULL),
outcomes_compared AS
(SELECT outcomes.space AS space, outcomes.deal_id AS deal_id, outcomes.occurred_at AS occurred_at, outcomes.fact_id AS fact_id, outcomes.way AS way, outcomes.change AS change, lag(outcomes.change, 1, 'reopened') OVER (PARTITION BY outcomes.space, outcomes.deal_id
ORDER BY outcomes.occurred_at, outcomes.fact_id, outcomes.way) AS change_before
FROM outcomes),
outcomes_turned AS
(SELECT outcomes_compared.space AS space, outcomes_compared.deal_id AS deal_id, outcomes_compared.occurred_at AS occurred_at, outcomes_compared.fact_id AS fact_id, outcomes_compared.way AS way, outcomes_compared.change AS change, outcomes_compared.change_before AS change_before, outcomes_compared.change = 'reopened' OR outcomes_compared.change = 'won' AND outcomes_compared.change_before = 'lost' AS reopens, row_number() OVER (PARTITION BY outcomes_compared.space, outcomes_compared.deal_id
ORDER BY outcomes_compared.occurred_at, outcomes_compared.fact_id, outcomes_compared.way) AS place
FROM outcomes_compared
WHERE outcomes_compared.change IS NOT outcomes_compared.change_before),
turns AS
(SELECT outcomes_turned.space AS space, outcomes_turned.deal_id AS deal_id, outcomes_turned.occurred_at AS occurred_at, outcomes_turned.fact_id AS fact_id, outcomes_turned.way AS way, outcomes_turned.change AS change, outcomes_turned.change_before AS change_before, outcomes_turned.reopens AS reopens, outcomes_turned.place AS place, max(outcomes_turned.place) OVER (PARTITION BY outcomes_turned.space, outcomes_turned.deal_id) AS last_place, max(CASE WHEN outcomes_turned.reopens THEN outcomes_turned.place END) OVER (PARTITION BY outcomes_turned.space, outcomes_turned.deal_id) AS reopening_place
FROM outcomes_turned)
 INSERT INTO staged_stage_changes (site_id, person_id, space, deal_id, position, stage, entered_at, is_implied, moved_by, visitor_id, fact_id, moving_space, moving_deal_id, detail, is_gone)
SELECT :site_id AS site_id, '' AS person_id, moved.space, moved.deal_id, row_number() OVER (PARTITION BY moved.space, moved.deal_id
ORDER BY moved.at, moved.fact_id, moved.rank, moved.stage) AS position, moved.stage, moved.at AS entered_at, 0 AS is_implied, moved.moved_by, '' AS visitor_id, moved.fact_id, '' AS moving_space, '' AS moving_deal_id, NULL AS detail, 0 AS is_gone
FROM (SELECT crm_stages_said.space AS space, crm_stages_said.deal_id AS deal_id, crm_stages_said.value AS stage, crm_stages_said.at AS at, 'crm_stage' AS moved_by, crm_stages_said.fact_id AS fact_id, 0 AS rank
FROM crm_stages_said
WHERE crm_stages_said.value IS NOT NULL AND crm_stages_said.value IS NOT crm_stages_said.value_before
UNION ALL SELECT turns.space AS space, turns.deal_id AS deal_id, turns.change AS change, turns.occurred_at AS occurred_at, 'deal' AS anon_1, turns.fact_id AS fact_id, 1 AS anon_2
FROM turns
WHERE turns.change != 'reopened' OR turns.change_before IS NOT NULL) AS moved
WHERE (EXISTS (SELECT *
FROM dirty_stages
WHERE dirty_stages.site_id = :site_id AND dirty_stages.person_id = '' AND dirty_stages.space = moved.space AND dirty_stages.deal_id = moved.deal_id)) AND (EXISTS (SELECT *
FROM deals
WHERE deals.site_id = :site_id AND deals.space = moved.space AND deals.deal_id = moved.deal_id AND deals.ignored_because IS NULL));

WITH people AS
(SELECT dirty_stages.person_id AS person_id
FROM dirty_stages
WHERE dirty_stages.site_id = :site_id AND dirty_stages.person_id != ''),
first_visits AS
(SELECT visitor_spans.site_id AS site_id, visitor_spans.visitor_id AS visitor_id, visitor_spans.starts_at AS starts_at, visitor_spans.ends_at AS ends_at, visitor_spans.person_id AS person_id, visitor_spans.fact_id AS fact_id, visitor_spans.link_id AS link_id, visitor_spans.first_touched_at AS first_touched_at, visitor_spans.first_touch_event_id AS first_touch_event_id, row_number() OVER (PARTITION BY visitor_spans.person_id
ORDER BY visitor_spans.first_touched_at, visitor_spans.visitor_id, visitor_spans.first_touch_event_id) AS number
FROM people
JOIN visitor_spans ON visitor_spans.site_id = :site_id AND visitor_spans.person_id = people.person_id
WHERE visitor_spans.first_touched_at IS NOT NULL),
told_first AS
(SELECT key_people.person_id AS person_id, sightings.occurred_at AS occurred_at, sightings.fact_id AS fact_id, row_number() OVER (PARTITION BY key_people.person_id
ORDER BY sightings.occurred_at, sightings.fact_id) AS number
FROM people
JOIN key_people ON key_people.site_id = :site_id AND key_people.person_id = people.person_id
JOIN link_keys ON link_keys.site_id = :site_id AND link_keys.key_id = key_people.key_id
JOIN sightings ON sightings.site_id = :site_id AND sightings.link_id = link_keys.link_id
JOIN crm_facts ON crm_facts.site_id = :site_id AND crm_facts.fact_id = sightings.fact_id),
marks_seen AS
(SELECT DISTINCT contact_marks.fact_id AS fact_id, contact_marks.link_id AS link_id, contact_marks.mark AS mark, contact_marks.occurred_at AS occurred_at, contact_marks.marked_by AS marked_by, contact_marks.reason AS reason, contact_marks.bant AS bant
FROM people
JOIN key_people AS keys_of_person ON keys_of_person.site_id = :site_id AND keys_of_person.person_id = people.person_id
JOIN link_keys AS links_of_key ON links_of_key.site_id = :site_id AND links_of_key.key_id = keys_of_person.key_id
JOIN contact_marks ON contact_marks.site_id = :site_id AND contact_marks.link_id = links_of_key.link_id),
marks_owned AS
(SELECT marks_seen.fact_id AS fact_id, marks_seen.link_id AS link_id, marks_seen.mark AS mark, marks_seen.occurred_at AS occurred_at, marks_seen.marked_by AS marked_by, marks_seen.reason AS reason, marks_seen.bant AS bant, (SELECT min(key_people.person_id) AS min_1
FROM link_keys
JOIN key_people ON key_people.site_id = :site_id AND key_people.key_id = link_keys.key_id
WHERE link_keys.site_id = :site_id AND link_keys.link_id = marks_seen.link_id) AS person_id
FROM marks_seen),
marks_of_people AS
(SELECT marks_owned.fact_id AS fact_id, marks_owned.link_id AS link_id, marks_owned.mark AS mark, marks_owned.occurred_at AS occurred_at, marks_owned.marked_by AS marked_by, marks_owned.reason AS reason, marks_owned.bant AS bant, marks_owned.person_id AS person_id
FROM marks_owned
WHERE EXISTS (SELECT *
FROM people
WHERE people.person_id = marks_owned.person_id)),
deals_of_people AS
(SELECT deal_people.person_id AS person_id, deals.space AS space, deals.deal_id AS deal_id, deals.opened_at AS opened_at, deals.outcome AS outcome
FROM people
JOIN deal_people ON deal_people.site_id = :site_id AND deal_people.person_id = people.person_id AND deal_people.is_contact IS 1
JOIN deals ON deals.site_id = :site_id AND deals.space = deal_people.space AND deals.deal_id = deal_people.deal_id AND deals.ignored_because IS NULL),
outcomes_said AS
(SELECT deal_changes.space AS space, deal_changes.deal_id AS deal_id, deal_changes.occurred_at AS occurred_at, deal_changes.fact_id AS fact_id, 1 AS way, deal_changes.change AS change
FROM deal_changes
WHERE deal_changes.site_id = :site_id AND (deal_changes.space, deal_changes.deal_id) IN (SELECT concerned_deals.space, concerned_deals.deal_id
FROM concerned_deals
WHERE concerned_deals.site_id = :site_id) AND deal_changes.change IN (__[POSTCOMPILE_change_7])
UNION ALL SELECT deal_fields.space AS space, deal_fields.deal_id AS deal_id, deal_fields.occurred_at AS occurred_at, deal_fields.fact_id AS fact_id, 0 AS way, CASE WHEN (deal_stages.outcome IN (__[POSTCOMPILE_outcome_2])) THEN deal_stages.outcome END AS change
FROM deal_fields
LEFT OUTER JOIN deal_stages ON deal_stages.site_id = :site_id AND deal_stages.space = deal_fields.space AND deal_stages.stage = deal_fields.value
WHERE deal_fields.site_id = :site_id AND (deal_fields.space, deal_fields.deal_id) IN (SELECT concerned_deals.space, concerned_deals.deal_id
FROM concerned_deals
WHERE concerned_deals.site_id = :site_id) AND deal_fields.field = 'stage'),
outcomes_numbered AS
(SELECT outcomes_said.space AS space, outcomes_said.deal_id AS deal_id, outcomes_said.occurred_at AS occurred_at, outcomes_said.fact_id AS fact_id, outcomes_said.way AS way, outcomes_said.change AS change, count(outcomes_said.change) OVER (PARTITION BY outcomes_said.space, outcomes_said.deal_id
ORDER BY outcomes_said.occurred_at, outcomes_said.fact_id, outcomes_said.way ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS outcome_number
FROM outcomes_said),
outcomes_judged AS
(SELECT outcomes_numbered.space AS space, outcomes_numbered.deal_id AS deal_id, outcomes_numbered.occurred_at AS occurred_at, outcomes_numbered.fact_id AS fact_id, outcomes_numbered.way AS way, CASE WHEN (outcomes_numbered.change IS NOT NULL) THEN outcomes_numbered.change WHEN (max(CASE WHEN (outcomes_numbered.change IS NOT NULL AND outcomes_numbered.way = 0) THEN 1 ELSE 0 END) OVER (PARTITION BY outcomes_numbered.space, outcomes_numbered.deal_id, outcomes_numbered.outcome_number) = 1) THEN 'reopened' ELSE NULL END AS change
FROM outcomes_numbered),
outcomes AS
(SELECT outcomes_judged.space AS space, outcomes_judged.deal_id AS deal_id, outcomes_judged.occurred_at AS occurred_at, outcomes_judged.fact_id AS fact_id, outcomes_judged.way AS way, outcomes_judged.change AS change
FROM outcomes_judged
WHERE outcomes_judged.change IS NOT NULL),
outcomes_compared AS
(SELECT outcomes.space AS space, outcomes.deal_id AS deal_id, outcomes.occurred_at AS occurred_at, outcomes.fact_id AS fact_id, outcomes.way AS way, outcomes.change AS change, lag(outcomes.change, 1, 'reopened') OVER (PARTITION BY outcomes.space, outcomes.deal_id
ORDER BY outcomes.occurred_at, outcomes.fact_id, outcomes.way) AS change_before
FROM outcomes),
outcomes_turned AS
(SELECT outcomes_compared.space AS space, outcomes_compared.deal_id AS deal_id, outcomes_compared.occurred_at AS occurred_at, outcomes_compared.fact_id AS fact_id, outcomes_compared.way AS way, outcomes_compared.change AS change, outcomes_compared.change_before AS change_before, outcomes_compared.change = 'reopened' OR outcomes_compared.change = 'won' AND outcomes_compared.change_before = 'lost' AS reopens, row_number() OVER (PARTITION BY outcomes_compared.space, outcomes_compared.deal_id
ORDER BY outcomes_compared.occurred_at, outcomes_compared.fact_id, outcomes_compared.way) AS place
FROM outcomes_compared
WHERE outcomes_compared.change IS NOT outcomes_compared.change_before),
turns AS
(SELECT outcomes_turned.space AS space, outcomes_turned.deal_id AS deal_id, outcomes_turned.occurred_at AS occurred_at, outcomes_turned.fact_id AS fact_id, outcomes_turned.way AS way, outcomes_turned.change AS change, outcomes_turned.change_before AS change_before, outcomes_turned.reopens AS reopens, outcomes_turned.place AS place, max(outcomes_turned.place) OVER (PARTITION BY outcomes_turned.space, outcomes_turned.deal_id) AS last_place, max(CASE WHEN outcomes_turned.reopens THEN outcomes_turned.place END) OVER (PARTITION BY outcomes_turned.space, outcomes_turned.deal_id) AS reopening_place
FROM outcomes_turned),
moments AS
(SELECT first_visits.person_id AS person_id, 'visitor' AS stage, first_visits.first_touched_at AS at, 1 AS rank, 'visit' AS moved_by, first_visits.visitor_id AS visitor_id, first_visits.first_touch_event_id AS fact_id, '' AS moving_space, '' AS moving_deal_id, :param_15 AS detail, 0 AS opens
FROM first_visits
WHERE first_visits.number = 1
UNION ALL SELECT told_first.person_id AS person_id, 'prospect' AS stage, told_first.occurred_at AS at, 0 AS rank, 'crm' AS moved_by, '' AS visitor_id, told_first.fact_id AS fact_id, '' AS moving_space, '' AS moving_deal_id, :param_20 AS detail, 0 AS opens
FROM told_first
WHERE told_first.number = 1
UNION ALL SELECT conversions.person_id AS person_id, conversions.kind AS stage, conversions.occurred_at AS at, CASE conversions.kind WHEN 'lead' THEN 2 WHEN 'mql' THEN 3 WHEN 'sql' THEN 4 END AS rank, CASE WHEN (contact_marks.fact_id IS NOT NULL) THEN CASE conversions.kind WHEN 'lead' THEN 'crm' WHEN 'mql' THEN 'marketing' WHEN 'sql' THEN 'sales' END ELSE CASE conversions.kind WHEN 'lead' THEN 'form' WHEN 'mql' THEN 'score' END END AS moved_by, CASE WHEN (contact_marks.fact_id IS NOT NULL) THEN '' ELSE conversions.holder_id END AS visitor_id, conversions.fact_id AS fact_id, '' AS moving_space, '' AS moving_deal_id, CASE WHEN (contact_marks.fact_id IS NOT NULL) THEN contact_marks.bant WHEN (conversions.kind = 'lead') THEN forms.name END AS detail, 0 AS opens
FROM people
JOIN conversions ON conversions.site_id = :site_id AND conversions.person_id = people.person_id
LEFT OUTER JOIN contact_marks ON contact_marks.site_id = :site_id AND conversions.holder_id = 'crm' AND contact_marks.fact_id = conversions.fact_id
LEFT OUTER JOIN events ON events.site_id = :site_id AND events.visitor_id = conversions.holder_id AND events.event_id = conversions.fact_id
LEFT OUTER JOIN forms ON forms.site_id = :site_id AND forms.form_id = events.form_id
WHERE conversions.kind IN (__[POSTCOMPILE_kind_2])
UNION ALL SELECT marks_of_people.person_id AS person_id, marks_of_people.mark AS stage, marks_of_people.occurred_at AS at, CASE marks_of_people.mark WHEN 'lost' THEN 8 WHEN 'mql_rejected' THEN 9 WHEN 'disqualified' THEN 10 WHEN 'recycled' THEN 11 END AS rank, 'sales' AS moved_by, '' AS visitor_id, marks_of_people.fact_id AS fact_id, '' AS moving_space, '' AS moving_deal_id, marks_of_people.reason AS detail, 0 AS opens
FROM marks_of_people
WHERE marks_of_people.mark IN (__[POSTCOMPILE_mark_1])
UNION ALL SELECT marks_of_people.person_id AS person_id, 'recycled' AS stage, marks_of_people.occurred_at AS at, 20 AS rank, CASE marks_of_people.mark WHEN 'lead' THEN 'crm' WHEN 'mql' THEN 'marketing' WHEN 'sql' THEN 'sales' END AS moved_by, '' AS visitor_id, marks_of_people.fact_id AS fact_id, '' AS moving_space, '' AS moving_deal_id, :param_58 AS detail, 0 AS opens
FROM marks_of_people
WHERE marks_of_people.mark IN (__[POSTCOMPILE_mark_2])
UNION ALL SELECT visitor_spans.person_id AS person_id, 'recycled' AS stage, goal_events.occurred_at AS at, 20 AS rank, 'form' AS moved_by, goal_events.visitor_id AS visitor_id, goal_events.event_id AS fact_id, '' AS moving_space, '' AS moving_deal_id, :param_63 AS detail, 0 AS opens
FROM people
JOIN visitor_spans ON visitor_spans.site_id = :site_id AND visitor_spans.person_id = people.person_id
JOIN goal_events ON goal_events.site_id = :site_id AND goal_events.visitor_id = visitor_spans.visitor_id AND goal_events.purpose = 'goal' AND goal_events.goal = 'lead' AND goal_events.occurred_at >= visitor_spans.starts_at AND goal_events.occurred_at < visitor_spans.ends_at
UNION ALL SELECT deals_of_people.person_id AS person_id, 'opportunity' AS stage, deals_of_people.opened_at AS at, 5 AS rank, 'deal' AS moved_by, '' AS visitor_id, coalesce((SELECT deal_changes.fact_id
FROM deal_changes
WHERE deal_changes.site_id = :site_id AND deal_changes.space = deals_of_people.space AND deal_changes.deal_id = deals_of_people.deal_id
ORDER BY deal_changes.occurred_at, deal_changes.fact_id
 LIMIT 1 OFFSET 0), '') AS fact_id, deals_of_people.space AS moving_space, deals_of_people.deal_id AS moving_deal_id, :param_70 AS detail, 1 AS opens
FROM deals_of_people
UNION ALL SELECT deals_of_people.person_id AS person_id, CASE WHEN (turns.change = 'won' AND turns.place = turns.last_place AND deals_of_people.outcome = 'won' AND (:customer_space = '' OR deals_of_people.space = :customer_space)) THEN 'customer' WHEN (turns.change = 'lost') THEN 'lost' WHEN (turns.change = 'reopened') THEN 'opportunity' ELSE '' END AS stage, turns.occurred_at AS at, coalesce(CASE CASE WHEN (turns.change = 'won' AND turns.place = turns.last_place AND deals_of_people.outcome = 'won' AND (:customer_space = '' OR deals_of_people.space = :customer_space)) THEN 'customer' WHEN (turns.change = 'lost') THEN 'lost' WHEN (turns.change = 'reopened') THEN 'opportunity' ELSE '' END WHEN 'opportunity' THEN 5 WHEN 'customer' THEN 6 WHEN 'lost' THEN 8 END, 0) AS rank, 'deal' AS moved_by, '' AS visitor_id, turns.fact_id AS fact_id, deals_of_people.space AS moving_space, deals_of_people.deal_id AS moving_deal_id, :param_84 AS detail, CASE WHEN (turns.change = 'reopened') THEN 1 WHEN (turns.change_before IS NULL OR turns.change_before = 'reopened') THEN -1 ELSE 0 END AS opens
FROM deals_of_people, turns
WHERE deals_of_people.space = turns.space AND deals_of_people.deal_id = turns.deal_id AND (turns.change != 'reopened' OR turns.change_before IS NOT NULL)),
moments_in_order AS
(SELECT moments.person_id AS person_id, moments.stage AS stage, moments.at AS at, moments.rank AS rank, moments.moved_by AS moved_by, moments.visitor_id AS visitor_id, moments.fact_id AS fact_id, moments.moving_space AS moving_space, moments.moving_deal_id AS moving_deal_id, moments.detail AS detail, moments.opens AS opens, coalesce(sum(moments.opens) OVER (PARTITION BY moments.person_id
ORDER BY moments.at, moments.rank, moments.fact_id, moments.visitor_id, moments.moving_space, moments.moving_deal_id, moments.moved_by ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) AS open_before, coalesce(sum(CASE WHEN (moments.stage = 'customer') THEN 1 ELSE 0 END) OVER (PARTITION BY moments.person_id
ORDER BY moments.at, moments.rank, moments.fact_id, moments.visitor_id, moments.moving_space, moments.moving_deal_id, moments.moved_by ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) AS wins_before, coalesce(sum(CASE WHEN (moments.stage = 'lost') THEN 1 ELSE 0 END) OVER (PARTITION BY moments.person_id
ORDER BY moments.at, moments.rank, moments.fact_id, moments.visitor_id, moments.moving_space, moments.moving_deal_id, moments.moved_by ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) AS losses_before
FROM moments),
firsts AS
(SELECT moments_in_order.person_id AS person_id, min(CASE WHEN (moments_in_order.stage IN (__[POSTCOMPILE_stage_4])) THEN moments_in_order.at END) AS lead, min(CASE WHEN (moments_in_order.stage IN (__[POSTCOMPILE_stage_5])) THEN moments_in_order.at END) AS mql, min(CASE WHEN (moments_in_order.stage IN (__[POSTCOMPILE_stage_6])) THEN moments_in_order.at END) AS sql, min(CASE WHEN (moments_in_order.stage IN (__[POSTCOMPILE_stage_7])) THEN moments_in_order.at END) AS opportunity, min(CASE WHEN (moments_in_order.stage IN (__[POSTCOMPILE_stage_8])) THEN moments_in_order.at END) AS after_lead, min(CASE WHEN (moments_in_order.stage IN (__[POSTCOMPILE_stage_9])) THEN moments_in_order.at END) AS after_mql, min(CASE WHEN (moments_in_order.stage IN (__[POSTCOMPILE_stage_10])) THEN moments_in_order.at END) AS after_sql, min(CASE WHEN (moments_in_order.stage IN (__[POSTCOMPILE_stage_11])) THEN moments_in_order.at END) AS after_opportunity, min(CASE WHEN (moments_in_order.stage IN (__[POSTCOMPILE_stage_12])) THEN moments_in_order.at END) AS acted_at, max(CASE WHEN (moments_in_order.stage = 'visitor') THEN 0 ELSE 1 END) AS is_known
FROM moments_in_order
WHERE moments_in_order.rank != 20
GROUP BY moments_in_order.person_id),
moved AS
(SELECT moments_in_order.person_id AS person_id, CASE WHEN (moments_in_order.stage = 'customer' AND moments_in_order.wins_before = 1) THEN 'repeat_customer' ELSE moments_in_order.stage END AS stage, moments_in_order.at AS at, moments_in_order.rank AS rank, moments_in_order.moved_by AS moved_by, moments_in_order.visitor_id AS visitor_id, moments_in_order.fact_id AS fact_id, moments_in_order.moving_space AS moving_space, moments_in_order.moving_deal_id AS moving_deal_id, moments_in_order.detail AS detail, 0 AS is_implied
FROM moments_in_order
JOIN firsts ON firsts.person_id = moments_in_order.person_id
WHERE moments_in_order.stage = 'prospect' AND moments_in_order.at < coalesce(firsts.acted_at, 253402300799999999) OR moments_in_order.stage = 'visitor' AND (firsts.is_known = 1 OR (moments_in_order.person_id NOT LIKE 'v/_' || '%' ESCAPE '/')) OR moments_in_order.stage = 'lead' AND coalesce(firsts.after_lead, moments_in_order.at) >= moments_in_order.at OR moments_in_order.stage = 'mql' AND coalesce(firsts.after_mql, moments_in_order.at) >= moments_in_order.at OR moments_in_order.stage = 'sql' AND coalesce(firsts.after_sql, moments_in_order.at) >= moments_in_order.at OR moments_in_order.stage = 'opportunity' AND moments_in_order.wins_before = 0 AND moments_in_order.open_before <= 0 OR moments_in_order.stage = 'customer' AND moments_in_order.wins_before <= 1 OR moments_in_order.stage = 'lost' AND moments_in_order.wins_before = 0 AND moments_in_order.open_before + moments_in_order.opens <= 0 OR moments_in_order.rank = 20 AND moments_in_order.wins_before = 0 AND moments_in_order.open_before + moments_in_order.opens <= 0 AND moments_in_order.losses_before > 0 OR moments_in_order.rank != 20 AND moments_in_order.stage IN (__[POSTCOMPILE_stage_22])
UNION ALL SELECT firsts.person_id AS person_id, 'lead' AS stage, firsts.after_lead AS at, 2 AS rank, '' AS moved_by, '' AS visitor_id, '' AS fact_id, '' AS moving_space, '' AS moving_deal_id, :param_100 AS detail, 1 AS is_implied
FROM firsts
WHERE firsts.after_lead IS NOT NULL AND (firsts.lead IS NULL OR firsts.lead > firsts.after_lead)
UNION ALL SELECT firsts.person_id AS person_id, 'mql' AS stage, firsts.after_mql AS at, 3 AS rank, '' AS moved_by, '' AS visitor_id, '' AS fact_id, '' AS moving_space, '' AS moving_deal_id, :param_103 AS detail, 1 AS is_implied
FROM firsts
WHERE firsts.after_mql IS NOT NULL AND (firsts.mql IS NULL OR firsts.mql > firsts.after_mql)
UNION ALL SELECT firsts.person_id AS person_id, 'sql' AS stage, firsts.after_sql AS at, 4 AS rank, '' AS moved_by, '' AS visitor_id, '' AS fact_id, '' AS moving_space, '' AS moving_deal_id, :param_106 AS detail, 1 AS is_implied
FROM firsts
WHERE firsts.after_sql IS NOT NULL AND (firsts.sql IS NULL OR firsts.sql > firsts.after_sql)
UNION ALL SELECT firsts.person_id AS person_id, 'opportunity' AS stage, firsts.after_opportunity AS at, 5 AS rank, '' AS moved_by, '' AS visitor_id, '' AS fact_id, '' AS moving_space, '' AS moving_deal_id, :param_109 AS detail, 1 AS is_implied
FROM firsts
WHERE firsts.after_opportunity IS NOT NULL AND (firsts.opportunity IS NULL OR firsts.opportunity > firsts.after_opportunity)),
moved_in_order AS
(SELECT moved.person_id AS person_id, moved.stage AS stage, moved.at AS at, moved.rank AS rank, moved.moved_by AS moved_by, moved.visitor_id AS visitor_id, moved.fact_id AS fact_id, moved.moving_space AS moving_space, moved.moving_deal_id AS moving_deal_id, moved.detail AS detail, moved.is_implied AS is_implied, lag(moved.stage) OVER (PARTITION BY moved.person_id
ORDER BY moved.at, moved.rank, moved.fact_id, moved.visitor_id, moved.moving_space, moved.moving_deal_id, moved.moved_by) AS stage_before
FROM moved)
 INSERT INTO staged_stage_changes (site_id, person_id, space, deal_id, position, stage, entered_at, is_implied, moved_by, visitor_id, fact_id, moving_space, moving_deal_id, detail, is_gone)
SELECT :site_id AS site_id, moved_in_order.person_id, '' AS space, '' AS deal_id, row_number() OVER (PARTITION BY moved_in_order.person_id
ORDER BY moved_in_order.at, moved_in_order.rank, moved_in_order.fact_id, moved_in_order.visitor_id, moved_in_order.moving_space, moved_in_order.moving_deal_id, moved_in_order.moved_by) AS position, moved_in_order.stage, moved_in_order.at AS entered_at, moved_in_order.is_implied, moved_in_order.moved_by, moved_in_order.visitor_id, moved_in_order.fact_id, moved_in_order.moving_space, moved_in_order.moving_deal_id, moved_in_order.detail, 0 AS is_gone
FROM moved_in_order
WHERE moved_in_order.stage IS NOT moved_in_order.stage_before;

SELECT EXISTS (SELECT *
FROM stage_changes
WHERE stage_changes.site_id = :site_id AND (stage_changes.person_id, stage_changes.space, stage_changes.deal_id) IN (SELECT dirty_stages.person_id, dirty_stages.space, dirty_stages.deal_id
FROM dirty_stages
WHERE dirty_stages.site_id = :site_id)) AS anon_1;

SELECT staged_stage_changes.is_gone, count(*) AS number
FROM staged_stage_changes
WHERE staged_stage_changes.site_id = :site_id
GROUP BY staged_stage_changes.is_gone;
