DELETE
FROM dirty_opportunities
WHERE dirty_opportunities.site_id = :site_id;

DELETE
FROM staged_opportunities
WHERE staged_opportunities.site_id = :site_id;

DELETE
FROM concerned_opportunities
WHERE concerned_opportunities.site_id = :site_id;

INSERT INTO concerned_opportunities (site_id, person_id, space, deal_id)
SELECT dirty_opportunities.site_id, dirty_opportunities.person_id, dirty_opportunities.space, dirty_opportunities.deal_id
FROM dirty_opportunities
WHERE dirty_opportunities.site_id = :site_id
UNION SELECT deal_people.site_id, '' AS person_id, deal_people.space, deal_people.deal_id
FROM dirty_opportunities
JOIN deal_people ON deal_people.site_id = :site_id AND deal_people.is_contact IS 1 AND deal_people.person_id = dirty_opportunities.person_id
WHERE dirty_opportunities.site_id = :site_id AND dirty_opportunities.person_id != ''
UNION SELECT deal_people.site_id, deal_people.person_id, '' AS space, '' AS deal_id
FROM dirty_opportunities
JOIN deal_people ON deal_people.site_id = :site_id AND deal_people.is_contact IS 1 AND deal_people.space = dirty_opportunities.space AND deal_people.deal_id = dirty_opportunities.deal_id
WHERE dirty_opportunities.site_id = :site_id AND dirty_opportunities.person_id = '';

WITH deals_that_count AS
(SELECT deals.space AS space, deals.deal_id AS deal_id, deals.outcome AS outcome, deals.lost_reason AS lost_reason, deals.opened_at AS started_at, CASE WHEN (deals.outcome = 'won') THEN deals.won_at WHEN (deals.outcome = 'lost') THEN deals.lost_at END AS closed_at
FROM concerned_opportunities
JOIN deals ON deals.site_id = :site_id AND deals.space = concerned_opportunities.space AND deals.deal_id = concerned_opportunities.deal_id
WHERE concerned_opportunities.site_id = :site_id AND concerned_opportunities.person_id = '' AND deals.ignored_because IS NULL),
contacts_of_deals AS
(SELECT deals_that_count.space AS space, deals_that_count.deal_id AS deal_id, deals_that_count.started_at AS started_at, deal_people.person_id AS person_id
FROM deals_that_count
JOIN deal_people ON deal_people.site_id = :site_id AND deal_people.space = deals_that_count.space AND deal_people.deal_id = deals_that_count.deal_id AND deal_people.is_contact IS 1),
contacts_of_contacts AS
(SELECT link_keys.link_id AS link_id, min(key_people.person_id) AS person_id
FROM link_keys
JOIN key_people ON key_people.site_id = :site_id AND key_people.key_id = link_keys.key_id
WHERE link_keys.site_id = :site_id AND link_keys.link_id IN (SELECT links_of_key.link_id
FROM link_keys AS links_of_key
WHERE links_of_key.site_id = :site_id AND links_of_key.key_id IN (SELECT keys_of_person.key_id
FROM key_people AS keys_of_person
WHERE keys_of_person.site_id = :site_id AND keys_of_person.person_id IN (SELECT contacts_of_deals.person_id
FROM contacts_of_deals)) AND (EXISTS (SELECT *
FROM contact_marks
WHERE contact_marks.site_id = :site_id AND contact_marks.link_id = links_of_key.link_id)))
GROUP BY link_keys.link_id),
marks_of_contacts AS
(SELECT contacts_of_contacts.person_id AS person_id, contact_marks.mark AS mark, contact_marks.reason AS reason, contact_marks.occurred_at AS occurred_at, contact_marks.fact_id AS fact_id, row_number() OVER (PARTITION BY contacts_of_contacts.person_id
ORDER BY contact_marks.occurred_at DESC, contact_marks.fact_id DESC) AS newest, min(CASE WHEN (contact_marks.mark IN (__[POSTCOMPILE_mark_1])) THEN contact_marks.occurred_at END) OVER (PARTITION BY contacts_of_contacts.person_id) AS lead_at
FROM contacts_of_contacts
JOIN contact_marks ON contact_marks.site_id = :site_id AND contact_marks.link_id = contacts_of_contacts.link_id),
last_marks_of_contacts AS
(SELECT marks_of_contacts.person_id AS person_id, marks_of_contacts.mark AS mark, marks_of_contacts.reason AS reason, marks_of_contacts.occurred_at AS occurred_at, marks_of_contacts.fact_id AS fact_id, marks_of_contacts.newest AS newest, marks_of_contacts.lead_at AS lead_at
FROM marks_of_contacts
WHERE marks_of_contacts.newest = 1),
contacts_judged AS
(SELECT contacts_of_deals.space AS space, contacts_of_deals.deal_id AS deal_id, contacts_of_deals.person_id AS person_id, last_marks_of_contacts.occurred_at AS occurred_at, last_marks_of_contacts.reason AS reason, row_number() OVER (PARTITION BY contacts_of_deals.space, contacts_of_deals.deal_id
ORDER BY coalesce(last_marks_of_contacts.occurred_at, 0) DESC, coalesce(last_marks_of_contacts.fact_id, '') DESC) AS newest
FROM contacts_of_deals
LEFT OUTER JOIN last_marks_of_contacts ON contacts_of_deals.person_id = last_marks_of_contacts.person_id AND last_marks_of_contacts.mark = 'disqualified' AND last_marks_of_contacts.occurred_at >= contacts_of_deals.started_at),
contacts_by_deal AS
(SELECT contacts_judged.space AS space, contacts_judged.deal_id AS deal_id, min(contacts_judged.person_id) AS contact_id, count(*) AS people, count(contacts_judged.occurred_at) AS disqualified, max(contacts_judged.occurred_at) AS disqualified_at, max(CASE WHEN (contacts_judged.newest = 1) THEN contacts_judged.reason END) AS reason
FROM contacts_judged
GROUP BY contacts_judged.space, contacts_judged.deal_id),
activities_of_deals AS
(SELECT told.space AS space, told.deal_id AS deal_id, min(told.contacted_at) AS contacted_at, max(told.last_activity_at) AS last_activity_at
FROM (SELECT deals_that_count.space AS space, deals_that_count.deal_id AS deal_id, CASE WHEN (sales_activities.is_automated IS 0 AND (sales_activities.kind IN (__[POSTCOMPILE_contact_counts]) OR (sales_activities.kind || ':' || coalesce(nullif(sales_activities.direction, ''), 'unknown')) IN (__[POSTCOMPILE_contact_counts]))) THEN sales_activities.occurred_at END AS contacted_at, CASE WHEN (sales_activities.is_automated IS 0) THEN sales_activities.occurred_at END AS last_activity_at
FROM deals_that_count
JOIN sales_activities ON sales_activities.site_id = :site_id AND sales_activities.space = deals_that_count.space AND sales_activities.deal_id = deals_that_count.deal_id
UNION ALL SELECT contacts_of_deals.space AS space, contacts_of_deals.deal_id AS deal_id, CASE WHEN (sales_activities.is_automated IS 0 AND (sales_activities.kind IN (__[POSTCOMPILE_contact_counts]) OR (sales_activities.kind || ':' || coalesce(nullif(sales_activities.direction, ''), 'unknown')) IN (__[POSTCOMPILE_contact_counts]))) THEN sales_activities.occurred_at END AS contacted_at, CASE WHEN (sales_activities.is_automated IS 0) THEN sales_activities.occurred_at END AS last_activity_at
FROM contacts_of_deals
JOIN sales_activities ON sales_activities.site_id = :site_id AND sales_activities.person_id = contacts_of_deals.person_id AND sales_activities.deal_id = '' AND sales_activities.occurred_at >= contacts_of_deals.started_at - :contact_before) AS told
GROUP BY told.space, told.deal_id),
found_deals AS
(SELECT '' AS person_id, deals_that_count.space AS space, deals_that_count.deal_id AS deal_id, coalesce(contacts_by_deal.contact_id, '') AS contact_id, deals_that_count.started_at AS started_at, activities_of_deals.contacted_at AS contacted_at, activities_of_deals.last_activity_at AS last_activity_at, CASE WHEN (deals_that_count.outcome != 'won' AND contacts_by_deal.people = contacts_by_deal.disqualified) THEN contacts_by_deal.disqualified_at ELSE deals_that_count.closed_at END AS closed_at, CASE WHEN (deals_that_count.outcome != 'won' AND contacts_by_deal.people = contacts_by_deal.disqualified) THEN 'disqualified' WHEN (deals_that_count.outcome = 'open') THEN '' ELSE deals_that_count.outcome END AS closed_as, CASE WHEN (deals_that_count.outcome != 'won' AND contacts_by_deal.people = contacts_by_deal.disqualified) THEN contacts_by_deal.reason WHEN (deals_that_count.outcome = 'lost') THEN deals_that_count.lost_reason END AS reason
FROM deals_that_count
LEFT OUTER JOIN contacts_by_deal ON contacts_by_deal.space = deals_that_count.space AND contacts_by_deal.deal_id = deals_that_count.deal_id
LEFT OUTER JOIN activities_of_deals ON activities_of_deals.space = deals_that_count.space AND activities_of_deals.deal_id = deals_that_count.deal_id),
timed AS
(SELECT found_deals.person_id AS person_id, found_deals.space AS space, found_deals.deal_id AS deal_id, found_deals.contact_id AS contact_id, found_deals.started_at AS started_at, found_deals.contacted_at AS contacted_at, found_deals.last_activity_at AS last_activity_at, found_deals.closed_at AS closed_at, found_deals.closed_as AS closed_as, found_deals.reason AS reason, coalesce((SELECT hours_begun.open_before + (min(found_deals.started_at, hours_begun.ends_at) - hours_begun.starts_at) AS anon_2
FROM open_hours AS hours_begun
WHERE hours_begun.site_id = :site_id AND hours_begun.starts_at <= found_deals.started_at
ORDER BY hours_begun.starts_at DESC
 LIMIT 1 OFFSET 0), 0) + :promise AS promised, CASE WHEN (found_deals.contacted_at IS NOT NULL) THEN max(coalesce((SELECT hours_begun.open_before + (min(found_deals.contacted_at, hours_begun.ends_at) - hours_begun.starts_at) AS anon_3
FROM open_hours AS hours_begun
WHERE hours_begun.site_id = :site_id AND hours_begun.starts_at <= found_deals.contacted_at
ORDER BY hours_begun.starts_at DESC
 LIMIT 1 OFFSET 0), 0) - coalesce((SELECT hours_begun.open_before + (min(found_deals.started_at, hours_begun.ends_at) - hours_begun.starts_at) AS anon_2
FROM open_hours AS hours_begun
WHERE hours_begun.site_id = :site_id AND hours_begun.starts_at <= found_deals.started_at
ORDER BY hours_begun.starts_at DESC
 LIMIT 1 OFFSET 0), 0), 0) END AS waited
FROM found_deals)
 INSERT INTO staged_opportunities (site_id, person_id, space, deal_id, contact_id, started_at, due_at, contacted_at, waited, last_activity_at, closed_at, closed_as, reason, is_gone)
SELECT :site_id AS site_id, timed.person_id AS person_id, timed.space AS space, timed.deal_id AS deal_id, timed.contact_id AS contact_id, timed.started_at AS started_at, (SELECT CASE WHEN ((hours_worked.starts_at + timed.promised) - hours_worked.open_before <= hours_worked.ends_at) THEN (hours_worked.starts_at + timed.promised) - hours_worked.open_before END AS anon_1
FROM open_hours AS hours_worked
WHERE hours_worked.site_id = :site_id AND hours_worked.open_before < timed.promised
ORDER BY hours_worked.open_before DESC
 LIMIT 1 OFFSET 0) AS due_at, timed.contacted_at AS contacted_at, timed.waited AS waited, timed.last_activity_at AS last_activity_at, timed.closed_at AS closed_at, timed.closed_as AS closed_as, timed.reason AS reason, 0 AS is_gone
FROM timed;

WITH people_without_deal AS
(SELECT concerned_opportunities.person_id AS person_id
FROM concerned_opportunities
WHERE concerned_opportunities.site_id = :site_id AND concerned_opportunities.person_id != '' AND substr(concerned_opportunities.person_id, 1, 2) != 'v_' AND NOT (EXISTS (SELECT *
FROM deal_people
JOIN deals ON deals.site_id = :site_id AND deals.space = deal_people.space AND deals.deal_id = deal_people.deal_id AND deals.ignored_because IS NULL
WHERE deal_people.site_id = :site_id AND deal_people.person_id = concerned_opportunities.person_id AND deal_people.is_contact IS 1))),
contacts_of_people AS
(SELECT link_keys.link_id AS link_id, min(key_people.person_id) AS person_id
FROM link_keys
JOIN key_people ON key_people.site_id = :site_id AND key_people.key_id = link_keys.key_id
WHERE link_keys.site_id = :site_id AND link_keys.link_id IN (SELECT links_of_key.link_id
FROM link_keys AS links_of_key
WHERE links_of_key.site_id = :site_id AND links_of_key.key_id IN (SELECT keys_of_person.key_id
FROM key_people AS keys_of_person
WHERE keys_of_person.site_id = :site_id AND keys_of_person.person_id IN (SELECT people_without_deal.person_id
FROM people_without_deal)) AND (EXISTS (SELECT *
FROM contact_marks
WHERE contact_marks.site_id = :site_id AND contact_marks.link_id = links_of_key.link_id)))
GROUP BY link_keys.link_id),
marks_of_people AS
(SELECT contacts_of_people.person_id AS person_id, contact_marks.mark AS mark, contact_marks.reason AS reason, contact_marks.occurred_at AS occurred_at, contact_marks.fact_id AS fact_id, row_number() OVER (PARTITION BY contacts_of_people.person_id
ORDER BY contact_marks.occurred_at DESC, contact_marks.fact_id DESC) AS newest, min(CASE WHEN (contact_marks.mark IN (__[POSTCOMPILE_mark_3])) THEN contact_marks.occurred_at END) OVER (PARTITION BY contacts_of_people.person_id) AS lead_at
FROM contacts_of_people
JOIN contact_marks ON contact_marks.site_id = :site_id AND contact_marks.link_id = contacts_of_people.link_id),
last_marks_of_people AS
(SELECT marks_of_people.person_id AS person_id, marks_of_people.mark AS mark, marks_of_people.reason AS reason, marks_of_people.occurred_at AS occurred_at, marks_of_people.fact_id AS fact_id, marks_of_people.newest AS newest, marks_of_people.lead_at AS lead_at
FROM marks_of_people
WHERE marks_of_people.newest = 1),
leads AS
(SELECT began.person_id AS person_id, min(began.at) AS started_at, CASE WHEN (min(began.asked_at) = min(began.at)) THEN min(began.at) ELSE min(began.at) - :contact_before END AS counted_from
FROM (SELECT people_without_deal.person_id AS person_id, conversions.occurred_at AS at, CASE WHEN (conversions.kind IN (__[POSTCOMPILE_kind_1]) AND conversions.holder_id != 'crm') THEN conversions.occurred_at END AS asked_at
FROM people_without_deal
JOIN conversions ON conversions.site_id = :site_id AND conversions.person_id = people_without_deal.person_id AND conversions.kind IN (__[POSTCOMPILE_kind_2])
UNION ALL SELECT last_marks_of_people.person_id AS person_id, last_marks_of_people.lead_at AS at, :param_15 AS asked_at
FROM people_without_deal
JOIN last_marks_of_people ON people_without_deal.person_id = last_marks_of_people.person_id
WHERE last_marks_of_people.lead_at IS NOT NULL) AS began
GROUP BY began.person_id),
told_of_leads AS
(SELECT leads.person_id AS person_id, CASE WHEN (sales_activities.is_automated IS 0 AND (sales_activities.kind IN (__[POSTCOMPILE_contact_counts]) OR (sales_activities.kind || ':' || coalesce(nullif(sales_activities.direction, ''), 'unknown')) IN (__[POSTCOMPILE_contact_counts]))) THEN sales_activities.occurred_at END AS contacted_at, CASE WHEN (sales_activities.is_automated IS 0) THEN sales_activities.occurred_at END AS last_activity_at
FROM leads
JOIN sales_activities ON sales_activities.site_id = :site_id AND sales_activities.person_id = leads.person_id AND sales_activities.occurred_at >= leads.counted_from),
activities_of_leads AS
(SELECT told_of_leads.person_id AS person_id, min(told_of_leads.contacted_at) AS contacted_at, max(told_of_leads.last_activity_at) AS last_activity_at
FROM told_of_leads
GROUP BY told_of_leads.person_id),
found_leads AS
(SELECT leads.person_id AS person_id, '' AS space, '' AS deal_id, leads.person_id AS contact_id, leads.started_at AS started_at, activities_of_leads.contacted_at AS contacted_at, activities_of_leads.last_activity_at AS last_activity_at, CASE WHEN (CASE WHEN (last_marks_of_people.occurred_at >= leads.started_at AND last_marks_of_people.mark = 'disqualified') THEN 'disqualified' WHEN (last_marks_of_people.occurred_at >= leads.started_at AND last_marks_of_people.mark IN (__[POSTCOMPILE_mark_2])) THEN 'lost' ELSE '' END != '') THEN last_marks_of_people.occurred_at END AS closed_at, CASE WHEN (last_marks_of_people.occurred_at >= leads.started_at AND last_marks_of_people.mark = 'disqualified') THEN 'disqualified' WHEN (last_marks_of_people.occurred_at >= leads.started_at AND last_marks_of_people.mark IN (__[POSTCOMPILE_mark_2])) THEN 'lost' ELSE '' END AS closed_as, CASE WHEN (CASE WHEN (last_marks_of_people.occurred_at >= leads.started_at AND last_marks_of_people.mark = 'disqualified') THEN 'disqualified' WHEN (last_marks_of_people.occurred_at >= leads.started_at AND last_marks_of_people.mark IN (__[POSTCOMPILE_mark_2])) THEN 'lost' ELSE '' END != '') THEN last_marks_of_people.reason END AS reason
FROM leads
LEFT OUTER JOIN last_marks_of_people ON leads.person_id = last_marks_of_people.person_id
LEFT OUTER JOIN activities_of_leads ON activities_of_leads.person_id = leads.person_id),
timed AS
(SELECT found_leads.person_id AS person_id, found_leads.space AS space, found_leads.deal_id AS deal_id, found_leads.contact_id AS contact_id, found_leads.started_at AS started_at, found_leads.contacted_at AS contacted_at, found_leads.last_activity_at AS last_activity_at, found_leads.closed_at AS closed_at, found_leads.closed_as AS closed_as, found_leads.reason AS reason, coalesce((SELECT hours_begun.open_before + (min(found_leads.started_at, hours_begun.ends_at) - hours_begun.starts_at) AS anon_2
FROM open_hours AS hours_begun
WHERE hours_begun.site_id = :site_id AND hours_begun.starts_at <= found_leads.started_at
ORDER BY hours_begun.starts_at DESC
 LIMIT 1 OFFSET 0), 0) + :promise AS promised, CASE WHEN (found_leads.contacted_at IS NOT NULL) THEN max(coalesce((SELECT hours_begun.open_before + (min(found_leads.contacted_at, hours_begun.ends_at) - hours_begun.starts_at) AS anon_3
FROM open_hours AS hours_begun
WHERE hours_begun.site_id = :site_id AND hours_begun.starts_at <= found_leads.contacted_at
ORDER BY hours_begun.starts_at DESC
 LIMIT 1 OFFSET 0), 0) - coalesce((SELECT hours_begun.open_before + (min(found_leads.started_at, hours_begun.ends_at) - hours_begun.starts_at) AS anon_2
FROM open_hours AS hours_begun
WHERE hours_begun.site_id = :site_id AND hours_begun.starts_at <= found_leads.started_at
ORDER BY hours_begun.starts_at DESC
 LIMIT 1 OFFSET 0), 0), 0) END AS waited
FROM found_leads)
 INSERT INTO staged_opportunities (site_id, person_id, space, deal_id, contact_id, started_at, due_at, contacted_at, waited, last_activity_at, closed_at, closed_as, reason, is_gone)
SELECT :site_id AS site_id, timed.person_id AS person_id, timed.space AS space, timed.deal_id AS deal_id, timed.contact_id AS contact_id, timed.started_at AS started_at, (SELECT CASE WHEN ((hours_worked.starts_at + timed.promised) - hours_worked.open_before <= hours_worked.ends_at) THEN (hours_worked.starts_at + timed.promised) - hours_worked.open_before END AS anon_1
FROM open_hours AS hours_worked
WHERE hours_worked.site_id = :site_id AND hours_worked.open_before < timed.promised
ORDER BY hours_worked.open_before DESC
 LIMIT 1 OFFSET 0) AS due_at, timed.contacted_at AS contacted_at, timed.waited AS waited, timed.last_activity_at AS last_activity_at, timed.closed_at AS closed_at, timed.closed_as AS closed_as, timed.reason AS reason, 0 AS is_gone
FROM timed;

SELECT EXISTS (SELECT *
FROM opportunities
WHERE opportunities.site_id = :site_id AND (EXISTS (SELECT *
FROM concerned_opportunities
WHERE concerned_opportunities.site_id = :site_id AND concerned_opportunities.person_id = opportunities.person_id AND concerned_opportunities.space = opportunities.space AND concerned_opportunities.deal_id = opportunities.deal_id))) AS anon_1;

SELECT staged_opportunities.is_gone, count(*) AS number
FROM staged_opportunities
WHERE staged_opportunities.site_id = :site_id
GROUP BY staged_opportunities.is_gone;
