DELETE
FROM dirty_identity
WHERE dirty_identity.site_id = :site_id::VARCHAR COLLATE "C";

DELETE
FROM staged_crowded_days
WHERE staged_crowded_days.site_id = :site_id::VARCHAR COLLATE "C";

DELETE
FROM staged_key_people
WHERE staged_key_people.site_id = :site_id::VARCHAR COLLATE "C";

INSERT INTO staged_crowded_days (site_id, key_id, day_number, visitors, is_gone)
SELECT :site_id::VARCHAR COLLATE "C" AS site_id, dirty_identity.key_id, sightings.occurred_at / 86400000000::BIGINT AS day_number, count(DISTINCT sightings.visitor_id) AS visitors, false AS is_gone
FROM dirty_identity
JOIN link_keys ON link_keys.site_id = :site_id::VARCHAR COLLATE "C" AND link_keys.key_id = dirty_identity.key_id
JOIN sightings ON sightings.site_id = :site_id::VARCHAR COLLATE "C" AND sightings.link_id = link_keys.link_id
WHERE dirty_identity.site_id = :site_id::VARCHAR COLLATE "C" AND sightings.visitor_id != ''::VARCHAR COLLATE "C"
GROUP BY dirty_identity.key_id, sightings.occurred_at / 86400000000::BIGINT
HAVING count(DISTINCT sightings.visitor_id) > 20::INTEGER;

DELETE
FROM staged_keys
WHERE staged_keys.site_id = :site_id::VARCHAR COLLATE "C";

DELETE
FROM staged_links
WHERE staged_links.site_id = :site_id::VARCHAR COLLATE "C";

INSERT INTO staged_keys (site_id, key_id, label, reached_in)
SELECT :site_id::VARCHAR COLLATE "C" AS anon_1, found.key_id, found.key_id AS key_id__1, 0::INTEGER AS anon_2
FROM (SELECT seeds.key_id AS key_id
FROM (SELECT dirty_identity.key_id AS key_id
FROM dirty_identity
WHERE dirty_identity.site_id = :site_id::VARCHAR COLLATE "C"
UNION SELECT members.key_id AS key_id
FROM dirty_identity
JOIN key_people AS old_people ON old_people.site_id = dirty_identity.site_id AND old_people.key_id = dirty_identity.key_id
JOIN key_people AS members ON members.site_id = old_people.site_id AND members.person_id = old_people.person_id
WHERE dirty_identity.site_id = :site_id::VARCHAR COLLATE "C"
UNION SELECT keys_beside.key_id AS key_id
FROM (SELECT staged_crowded_days.key_id AS key_id, staged_crowded_days.day_number AS day_number
FROM staged_crowded_days
WHERE staged_crowded_days.site_id = :site_id::VARCHAR COLLATE "C" AND NOT (EXISTS (SELECT *
FROM crowded_days
WHERE crowded_days.site_id = :site_id::VARCHAR COLLATE "C" AND staged_crowded_days.key_id = crowded_days.key_id AND staged_crowded_days.day_number = crowded_days.day_number))
UNION ALL SELECT crowded_days.key_id AS key_id, crowded_days.day_number AS day_number
FROM dirty_identity
JOIN crowded_days ON crowded_days.site_id = :site_id::VARCHAR COLLATE "C" AND crowded_days.key_id = dirty_identity.key_id
WHERE dirty_identity.site_id = :site_id::VARCHAR COLLATE "C" AND NOT (EXISTS (SELECT *
FROM staged_crowded_days
WHERE staged_crowded_days.site_id = :site_id::VARCHAR COLLATE "C" AND staged_crowded_days.key_id = crowded_days.key_id AND staged_crowded_days.day_number = crowded_days.day_number))) AS turned_days
JOIN link_keys AS turned_links ON turned_links.site_id = :site_id::VARCHAR COLLATE "C" AND turned_links.key_id = turned_days.key_id
JOIN sightings ON sightings.site_id = :site_id::VARCHAR COLLATE "C" AND sightings.link_id = turned_links.link_id
JOIN link_keys AS keys_beside ON keys_beside.site_id = :site_id::VARCHAR COLLATE "C" AND keys_beside.link_id = turned_links.link_id
WHERE sightings.occurred_at / 86400000000::BIGINT = turned_days.day_number) AS seeds
WHERE true) AS found;

INSERT INTO staged_links (site_id, link_id, label, reached_in)
SELECT DISTINCT :site_id::VARCHAR COLLATE "C" AS site_id, link_keys.link_id, link_keys.link_id AS label, :round::INTEGER AS reached_in
FROM staged_keys
JOIN link_keys ON link_keys.site_id = :site_id::VARCHAR COLLATE "C" AND link_keys.key_id = staged_keys.key_id
WHERE staged_keys.site_id = :site_id::VARCHAR COLLATE "C" AND staged_keys.reached_in = :round::INTEGER AND NOT (EXISTS (SELECT *
FROM staged_links
WHERE staged_links.site_id = :site_id::VARCHAR COLLATE "C" AND staged_links.link_id = link_keys.link_id)) AND (EXISTS (SELECT *
FROM sightings
WHERE sightings.site_id = :site_id::VARCHAR COLLATE "C" AND sightings.link_id = link_keys.link_id AND NOT (EXISTS (SELECT *
FROM unlinks
WHERE unlinks.site_id = :site_id::VARCHAR COLLATE "C" AND unlinks.visitor_id = sightings.visitor_id AND unlinks.link_id = sightings.link_id)) AND (sightings.is_trusted IS true OR NOT (EXISTS (SELECT *
FROM link_keys AS crowding_keys, (SELECT staged_crowded_days.key_id AS key_id, staged_crowded_days.day_number AS day_number
FROM staged_crowded_days
WHERE staged_crowded_days.site_id = :site_id::VARCHAR COLLATE "C"
UNION ALL SELECT crowded_days.key_id AS key_id, crowded_days.day_number AS day_number
FROM crowded_days
WHERE crowded_days.site_id = :site_id::VARCHAR COLLATE "C" AND NOT (EXISTS (SELECT *
FROM dirty_identity
WHERE dirty_identity.site_id = :site_id::VARCHAR COLLATE "C" AND dirty_identity.key_id = crowded_days.key_id))) AS crowded
WHERE crowding_keys.site_id = sightings.site_id AND crowding_keys.link_id = sightings.link_id AND crowded.key_id = crowding_keys.key_id AND crowded.day_number = sightings.occurred_at / 86400000000::BIGINT)))));

INSERT INTO staged_keys (site_id, key_id, label, reached_in)
SELECT :site_id::VARCHAR COLLATE "C" AS anon_1, found.key_id, found.key_id AS key_id__1, :round::INTEGER + 1::INTEGER AS anon_2
FROM (SELECT DISTINCT link_keys.key_id AS key_id
FROM staged_links
JOIN link_keys ON link_keys.site_id = :site_id::VARCHAR COLLATE "C" AND link_keys.link_id = staged_links.link_id
WHERE staged_links.site_id = :site_id::VARCHAR COLLATE "C" AND staged_links.reached_in = :round::INTEGER AND NOT (EXISTS (SELECT *
FROM staged_keys
WHERE staged_keys.site_id = :site_id::VARCHAR COLLATE "C" AND staged_keys.key_id = link_keys.key_id))) AS found;

UPDATE staged_links SET label=(SELECT min(keys_of_link.label) AS min_1
FROM link_keys
JOIN staged_keys AS keys_of_link ON keys_of_link.site_id = 'default'::VARCHAR COLLATE "C" AND keys_of_link.key_id = link_keys.key_id
WHERE link_keys.site_id = 'default'::VARCHAR COLLATE "C" AND link_keys.link_id = staged_links.link_id)
WHERE staged_links.site_id = 'default'::VARCHAR COLLATE "C";

UPDATE staged_keys SET label=(SELECT min(links_of_key.label) AS min_1
FROM link_keys
JOIN staged_links AS links_of_key ON links_of_key.site_id = 'default'::VARCHAR COLLATE "C" AND links_of_key.link_id = link_keys.link_id
WHERE link_keys.site_id = 'default'::VARCHAR COLLATE "C" AND link_keys.key_id = staged_keys.key_id)
WHERE staged_keys.site_id = 'default'::VARCHAR COLLATE "C" AND (SELECT min(links_of_key.label) AS min_1
FROM link_keys
JOIN staged_links AS links_of_key ON links_of_key.site_id = 'default'::VARCHAR COLLATE "C" AND links_of_key.link_id = link_keys.link_id
WHERE link_keys.site_id = 'default'::VARCHAR COLLATE "C" AND link_keys.key_id = staged_keys.key_id) < staged_keys.label;

WITH crowded_components AS
(SELECT DISTINCT staged_keys.label AS label
FROM staged_keys
WHERE staged_keys.site_id = :site_id::VARCHAR COLLATE "C"
GROUP BY staged_keys.label, substr(staged_keys.key_id, 1::INTEGER, 1::INTEGER)
HAVING count(*) > 10::INTEGER)
 INSERT INTO staged_key_people (site_id, key_id, person_id, is_crowded, is_gone)
SELECT staged_keys.site_id, staged_keys.key_id, CASE WHEN (crowded_components.label IS NULL) THEN staged_keys.label ELSE staged_keys.key_id END AS person_id, crowded_components.label IS NOT NULL AS is_crowded, false AS is_gone
FROM staged_keys
LEFT OUTER JOIN crowded_components ON crowded_components.label = staged_keys.label
WHERE staged_keys.site_id = :site_id::VARCHAR COLLATE "C";

SELECT EXISTS (SELECT *
FROM crowded_days
WHERE crowded_days.site_id = :site_id::VARCHAR COLLATE "C" AND crowded_days.key_id IN (SELECT dirty_identity.key_id
FROM dirty_identity
WHERE dirty_identity.site_id = :site_id::VARCHAR COLLATE "C")) AS anon_1;

SELECT staged_crowded_days.is_gone, count(*) AS number
FROM staged_crowded_days
WHERE staged_crowded_days.site_id = :site_id::VARCHAR COLLATE "C"
GROUP BY staged_crowded_days.is_gone;

SELECT EXISTS (SELECT *
FROM key_people
WHERE key_people.site_id = :site_id::VARCHAR COLLATE "C" AND key_people.key_id IN (SELECT staged_keys.key_id
FROM staged_keys
WHERE staged_keys.site_id = :site_id::VARCHAR COLLATE "C")) AS anon_1;

SELECT staged_key_people.is_gone, count(*) AS number
FROM staged_key_people
WHERE staged_key_people.site_id = :site_id::VARCHAR COLLATE "C"
GROUP BY staged_key_people.is_gone;

DELETE
FROM enqueued_spans
WHERE enqueued_spans.site_id = :site_id::VARCHAR COLLATE "C";

DELETE
FROM enqueued_deals
WHERE enqueued_deals.site_id = :site_id::VARCHAR COLLATE "C";

DELETE
FROM enqueued_properties
WHERE enqueued_properties.site_id = :site_id::VARCHAR COLLATE "C";

DELETE
FROM enqueued_conversions
WHERE enqueued_conversions.site_id = :site_id::VARCHAR COLLATE "C";

DELETE
FROM enqueued_opportunities
WHERE enqueued_opportunities.site_id = :site_id::VARCHAR COLLATE "C";

DELETE
FROM enqueued_stages
WHERE enqueued_stages.site_id = :site_id::VARCHAR COLLATE "C";

DELETE
FROM enqueued_activities
WHERE enqueued_activities.site_id = :site_id::VARCHAR COLLATE "C";

INSERT INTO enqueued_spans (site_id, visitor_id)
SELECT DISTINCT anon_1.site_id, anon_1.visitor_id
FROM (SELECT sightings.site_id AS site_id, sightings.visitor_id AS visitor_id
FROM (SELECT staged_key_people.key_id AS key_id
FROM staged_key_people
WHERE staged_key_people.site_id = :site_id::VARCHAR COLLATE "C") AS changed
JOIN link_keys ON link_keys.site_id = :site_id::VARCHAR COLLATE "C" AND link_keys.key_id = changed.key_id
JOIN sightings ON sightings.site_id = :site_id::VARCHAR COLLATE "C" AND sightings.link_id = link_keys.link_id
WHERE sightings.visitor_id != ''::VARCHAR COLLATE "C") AS anon_1
WHERE True ON CONFLICT (site_id, visitor_id) DO NOTHING;

INSERT INTO enqueued_spans (site_id, visitor_id)
SELECT DISTINCT anon_1.site_id, anon_1.visitor_id
FROM (SELECT sightings.site_id AS site_id, sightings.visitor_id AS visitor_id
FROM staged_crowded_days
JOIN link_keys ON link_keys.site_id = :site_id::VARCHAR COLLATE "C" AND link_keys.key_id = staged_crowded_days.key_id
JOIN sightings ON sightings.site_id = :site_id::VARCHAR COLLATE "C" AND sightings.link_id = link_keys.link_id
WHERE staged_crowded_days.site_id = :site_id::VARCHAR COLLATE "C" AND sightings.visitor_id != ''::VARCHAR COLLATE "C" AND sightings.occurred_at / 86400000000::BIGINT = staged_crowded_days.day_number) AS anon_1
WHERE True ON CONFLICT (site_id, visitor_id) DO NOTHING;

INSERT INTO enqueued_deals (site_id, space, deal_id)
SELECT DISTINCT anon_1.site_id, anon_1.space, anon_1.deal_id
FROM (SELECT deal_contacts.site_id AS site_id, deal_contacts.space AS space, deal_contacts.deal_id AS deal_id
FROM (SELECT staged_key_people.key_id AS key_id
FROM staged_key_people
WHERE staged_key_people.site_id = :site_id::VARCHAR COLLATE "C") AS changed
JOIN link_keys ON link_keys.site_id = :site_id::VARCHAR COLLATE "C" AND link_keys.key_id = changed.key_id
JOIN deal_contacts ON deal_contacts.site_id = :site_id::VARCHAR COLLATE "C" AND deal_contacts.link_id = link_keys.link_id) AS anon_1
WHERE True ON CONFLICT (site_id, space, deal_id) DO NOTHING;

INSERT INTO enqueued_deals (site_id, space, deal_id)
SELECT DISTINCT anon_1.site_id, anon_1.space, anon_1.deal_id
FROM (SELECT deals_of_people.site_id AS site_id, deals_of_people.space AS space, deals_of_people.deal_id AS deal_id
FROM (SELECT deal_people.site_id AS site_id, deal_people.space AS space, deal_people.deal_id AS deal_id
FROM (SELECT staged_key_people.key_id AS key_id
FROM staged_key_people
WHERE staged_key_people.site_id = :site_id::VARCHAR COLLATE "C") AS changed
JOIN key_people ON key_people.site_id = :site_id::VARCHAR COLLATE "C" AND key_people.key_id = changed.key_id
JOIN deal_people ON deal_people.site_id = :site_id::VARCHAR COLLATE "C" AND deal_people.person_id = key_people.person_id
WHERE deal_people.is_contact IS true
UNION SELECT deal_people.site_id AS site_id, deal_people.space AS space, deal_people.deal_id AS deal_id
FROM (SELECT staged_key_people.key_id AS key_id
FROM staged_key_people
WHERE staged_key_people.site_id = :site_id::VARCHAR COLLATE "C") AS changed
JOIN staged_key_people ON staged_key_people.site_id = :site_id::VARCHAR COLLATE "C" AND staged_key_people.key_id = changed.key_id
JOIN deal_people ON deal_people.site_id = :site_id::VARCHAR COLLATE "C" AND deal_people.person_id = staged_key_people.person_id
WHERE deal_people.is_contact IS true) AS deals_of_people) AS anon_1
WHERE True ON CONFLICT (site_id, space, deal_id) DO NOTHING;

INSERT INTO enqueued_deals (site_id, space, deal_id)
SELECT DISTINCT anon_1.site_id, anon_1.space, anon_1.deal_id
FROM (SELECT deal_companies.site_id AS site_id, deal_companies.space AS space, deal_companies.deal_id AS deal_id
FROM (SELECT staged_key_people.key_id AS key_id
FROM staged_key_people
WHERE staged_key_people.site_id = :site_id::VARCHAR COLLATE "C") AS changed
JOIN key_domains ON key_domains.site_id = :site_id::VARCHAR COLLATE "C" AND key_domains.key_id = changed.key_id
JOIN deal_companies ON deal_companies.site_id = :site_id::VARCHAR COLLATE "C" AND deal_companies.company = key_domains.domain AND deal_companies.company_space = ''::VARCHAR COLLATE "C") AS anon_1
WHERE True ON CONFLICT (site_id, space, deal_id) DO NOTHING;

INSERT INTO enqueued_deals (site_id, space, deal_id)
SELECT DISTINCT anon_1.site_id, anon_1.space, anon_1.deal_id
FROM (SELECT deal_companies.site_id AS site_id, deal_companies.space AS space, deal_companies.deal_id AS deal_id
FROM (SELECT dirty_identity.key_id AS key_id
FROM dirty_identity
WHERE dirty_identity.site_id = :site_id::VARCHAR COLLATE "C"
UNION SELECT staged_key_people.key_id AS key_id
FROM staged_key_people
WHERE staged_key_people.site_id = :site_id::VARCHAR COLLATE "C") AS concerned
JOIN contact_companies ON contact_companies.site_id = :site_id::VARCHAR COLLATE "C" AND contact_companies.key_id = concerned.key_id
JOIN deal_companies ON deal_companies.site_id = :site_id::VARCHAR COLLATE "C" AND deal_companies.company = contact_companies.company_id AND deal_companies.company_space = contact_companies.space) AS anon_1
WHERE True ON CONFLICT (site_id, space, deal_id) DO NOTHING;

INSERT INTO enqueued_properties (site_id, holder_id)
SELECT DISTINCT anon_1.site_id, anon_1.holder_id
FROM (SELECT :site_id::VARCHAR COLLATE "C" AS site_id, people.person_id AS holder_id
FROM (SELECT key_people.person_id AS person_id
FROM (SELECT DISTINCT keys_beside_concerned.key_id AS key_id
FROM (SELECT dirty_identity.key_id AS key_id
FROM dirty_identity
WHERE dirty_identity.site_id = :site_id::VARCHAR COLLATE "C"
UNION SELECT staged_key_people.key_id AS key_id
FROM staged_key_people
WHERE staged_key_people.site_id = :site_id::VARCHAR COLLATE "C") AS concerned
JOIN link_keys AS links_of_concerned ON links_of_concerned.site_id = :site_id::VARCHAR COLLATE "C" AND links_of_concerned.key_id = concerned.key_id
JOIN link_keys AS keys_beside_concerned ON keys_beside_concerned.site_id = :site_id::VARCHAR COLLATE "C" AND keys_beside_concerned.link_id = links_of_concerned.link_id
WHERE EXISTS (SELECT *
FROM person_fields
WHERE person_fields.site_id = :site_id::VARCHAR COLLATE "C" AND person_fields.link_id = links_of_concerned.link_id)) AS keys
JOIN key_people ON key_people.site_id = :site_id::VARCHAR COLLATE "C" AND key_people.key_id = keys.key_id
UNION SELECT staged_key_people.person_id AS person_id
FROM (SELECT DISTINCT keys_beside_concerned.key_id AS key_id
FROM (SELECT dirty_identity.key_id AS key_id
FROM dirty_identity
WHERE dirty_identity.site_id = :site_id::VARCHAR COLLATE "C"
UNION SELECT staged_key_people.key_id AS key_id
FROM staged_key_people
WHERE staged_key_people.site_id = :site_id::VARCHAR COLLATE "C") AS concerned
JOIN link_keys AS links_of_concerned ON links_of_concerned.site_id = :site_id::VARCHAR COLLATE "C" AND links_of_concerned.key_id = concerned.key_id
JOIN link_keys AS keys_beside_concerned ON keys_beside_concerned.site_id = :site_id::VARCHAR COLLATE "C" AND keys_beside_concerned.link_id = links_of_concerned.link_id
WHERE EXISTS (SELECT *
FROM person_fields
WHERE person_fields.site_id = :site_id::VARCHAR COLLATE "C" AND person_fields.link_id = links_of_concerned.link_id)) AS keys
JOIN staged_key_people ON staged_key_people.site_id = :site_id::VARCHAR COLLATE "C" AND staged_key_people.key_id = keys.key_id
WHERE staged_key_people.is_gone IS false) AS people) AS anon_1
WHERE True ON CONFLICT (site_id, holder_id) DO NOTHING;

INSERT INTO enqueued_conversions (site_id, person_id, space, deal_id)
SELECT DISTINCT anon_1.site_id, anon_1.person_id, anon_1.space, anon_1.deal_id
FROM (SELECT :site_id::VARCHAR COLLATE "C" AS site_id, people.person_id AS person_id, ''::VARCHAR AS space, ''::VARCHAR AS deal_id
FROM (SELECT key_people.person_id AS person_id
FROM (SELECT DISTINCT keys_beside_concerned.key_id AS key_id
FROM (SELECT dirty_identity.key_id AS key_id
FROM dirty_identity
WHERE dirty_identity.site_id = :site_id::VARCHAR COLLATE "C"
UNION SELECT staged_key_people.key_id AS key_id
FROM staged_key_people
WHERE staged_key_people.site_id = :site_id::VARCHAR COLLATE "C") AS concerned
JOIN link_keys AS links_of_concerned ON links_of_concerned.site_id = :site_id::VARCHAR COLLATE "C" AND links_of_concerned.key_id = concerned.key_id
JOIN link_keys AS keys_beside_concerned ON keys_beside_concerned.site_id = :site_id::VARCHAR COLLATE "C" AND keys_beside_concerned.link_id = links_of_concerned.link_id
WHERE EXISTS (SELECT *
FROM contact_marks
WHERE contact_marks.site_id = :site_id::VARCHAR COLLATE "C" AND contact_marks.link_id = links_of_concerned.link_id)) AS keys
JOIN key_people ON key_people.site_id = :site_id::VARCHAR COLLATE "C" AND key_people.key_id = keys.key_id
UNION SELECT staged_key_people.person_id AS person_id
FROM (SELECT DISTINCT keys_beside_concerned.key_id AS key_id
FROM (SELECT dirty_identity.key_id AS key_id
FROM dirty_identity
WHERE dirty_identity.site_id = :site_id::VARCHAR COLLATE "C"
UNION SELECT staged_key_people.key_id AS key_id
FROM staged_key_people
WHERE staged_key_people.site_id = :site_id::VARCHAR COLLATE "C") AS concerned
JOIN link_keys AS links_of_concerned ON links_of_concerned.site_id = :site_id::VARCHAR COLLATE "C" AND links_of_concerned.key_id = concerned.key_id
JOIN link_keys AS keys_beside_concerned ON keys_beside_concerned.site_id = :site_id::VARCHAR COLLATE "C" AND keys_beside_concerned.link_id = links_of_concerned.link_id
WHERE EXISTS (SELECT *
FROM contact_marks
WHERE contact_marks.site_id = :site_id::VARCHAR COLLATE "C" AND contact_marks.link_id = links_of_concerned.link_id)) AS keys
JOIN staged_key_people ON staged_key_people.site_id = :site_id::VARCHAR COLLATE "C" AND staged_key_people.key_id = keys.key_id
WHERE staged_key_people.is_gone IS false) AS people) AS anon_1
WHERE True ON CONFLICT (site_id, person_id, space, deal_id) DO NOTHING;

INSERT INTO enqueued_opportunities (site_id, person_id, space, deal_id)
SELECT DISTINCT anon_1.site_id, anon_1.person_id, anon_1.space, anon_1.deal_id
FROM (SELECT :site_id::VARCHAR COLLATE "C" AS site_id, people.person_id AS person_id, ''::VARCHAR AS space, ''::VARCHAR AS deal_id
FROM (SELECT key_people.person_id AS person_id
FROM (SELECT DISTINCT keys_beside_concerned.key_id AS key_id
FROM (SELECT dirty_identity.key_id AS key_id
FROM dirty_identity
WHERE dirty_identity.site_id = :site_id::VARCHAR COLLATE "C"
UNION SELECT staged_key_people.key_id AS key_id
FROM staged_key_people
WHERE staged_key_people.site_id = :site_id::VARCHAR COLLATE "C") AS concerned
JOIN link_keys AS links_of_concerned ON links_of_concerned.site_id = :site_id::VARCHAR COLLATE "C" AND links_of_concerned.key_id = concerned.key_id
JOIN link_keys AS keys_beside_concerned ON keys_beside_concerned.site_id = :site_id::VARCHAR COLLATE "C" AND keys_beside_concerned.link_id = links_of_concerned.link_id
WHERE EXISTS (SELECT *
FROM contact_marks
WHERE contact_marks.site_id = :site_id::VARCHAR COLLATE "C" AND contact_marks.link_id = links_of_concerned.link_id)) AS keys
JOIN key_people ON key_people.site_id = :site_id::VARCHAR COLLATE "C" AND key_people.key_id = keys.key_id
UNION SELECT staged_key_people.person_id AS person_id
FROM (SELECT DISTINCT keys_beside_concerned.key_id AS key_id
FROM (SELECT dirty_identity.key_id AS key_id
FROM dirty_identity
WHERE dirty_identity.site_id = :site_id::VARCHAR COLLATE "C"
UNION SELECT staged_key_people.key_id AS key_id
FROM staged_key_people
WHERE staged_key_people.site_id = :site_id::VARCHAR COLLATE "C") AS concerned
JOIN link_keys AS links_of_concerned ON links_of_concerned.site_id = :site_id::VARCHAR COLLATE "C" AND links_of_concerned.key_id = concerned.key_id
JOIN link_keys AS keys_beside_concerned ON keys_beside_concerned.site_id = :site_id::VARCHAR COLLATE "C" AND keys_beside_concerned.link_id = links_of_concerned.link_id
WHERE EXISTS (SELECT *
FROM contact_marks
WHERE contact_marks.site_id = :site_id::VARCHAR COLLATE "C" AND contact_marks.link_id = links_of_concerned.link_id)) AS keys
JOIN staged_key_people ON staged_key_people.site_id = :site_id::VARCHAR COLLATE "C" AND staged_key_people.key_id = keys.key_id
WHERE staged_key_people.is_gone IS false) AS people) AS anon_1
WHERE True ON CONFLICT (site_id, person_id, space, deal_id) DO NOTHING;

INSERT INTO enqueued_conversions (site_id, person_id, space, deal_id)
SELECT DISTINCT anon_1.site_id, anon_1.person_id, anon_1.space, anon_1.deal_id
FROM (SELECT people.site_id AS site_id, people.person_id AS person_id, ''::VARCHAR AS space, ''::VARCHAR AS deal_id
FROM (SELECT staged_key_people.site_id AS site_id, key_people.person_id AS person_id
FROM staged_key_people
JOIN key_people ON key_people.site_id = :site_id::VARCHAR COLLATE "C" AND key_people.key_id = staged_key_people.key_id
WHERE staged_key_people.site_id = :site_id::VARCHAR COLLATE "C" AND ((EXISTS (SELECT *
FROM excluded_keys
WHERE excluded_keys.site_id = :site_id::VARCHAR COLLATE "C" AND excluded_keys.key_id = staged_key_people.key_id)) OR (EXISTS (SELECT *
FROM key_domains, excluded_keys
WHERE key_domains.site_id = :site_id::VARCHAR COLLATE "C" AND key_domains.key_id = staged_key_people.key_id AND excluded_keys.site_id = :site_id::VARCHAR COLLATE "C" AND excluded_keys.key_id = ''::VARCHAR COLLATE "C" AND excluded_keys.domain = key_domains.domain)))
UNION SELECT staged_key_people.site_id AS site_id, staged_key_people.person_id AS person_id
FROM staged_key_people
WHERE staged_key_people.site_id = :site_id::VARCHAR COLLATE "C" AND ((EXISTS (SELECT *
FROM excluded_keys
WHERE excluded_keys.site_id = :site_id::VARCHAR COLLATE "C" AND excluded_keys.key_id = staged_key_people.key_id)) OR (EXISTS (SELECT *
FROM key_domains, excluded_keys
WHERE key_domains.site_id = :site_id::VARCHAR COLLATE "C" AND key_domains.key_id = staged_key_people.key_id AND excluded_keys.site_id = :site_id::VARCHAR COLLATE "C" AND excluded_keys.key_id = ''::VARCHAR COLLATE "C" AND excluded_keys.domain = key_domains.domain))) AND staged_key_people.is_gone IS false) AS people) AS anon_1
WHERE True ON CONFLICT (site_id, person_id, space, deal_id) DO NOTHING;

INSERT INTO enqueued_stages (site_id, person_id, space, deal_id)
SELECT DISTINCT anon_1.site_id, anon_1.person_id, anon_1.space, anon_1.deal_id
FROM (SELECT :site_id::VARCHAR COLLATE "C" AS site_id, people.person_id AS person_id, ''::VARCHAR AS space, ''::VARCHAR AS deal_id
FROM (SELECT key_people.person_id AS person_id
FROM (SELECT dirty_identity.key_id AS key_id
FROM dirty_identity
WHERE dirty_identity.site_id = :site_id::VARCHAR COLLATE "C"
UNION SELECT staged_key_people.key_id AS key_id
FROM staged_key_people
WHERE staged_key_people.site_id = :site_id::VARCHAR COLLATE "C") AS concerned
JOIN key_people ON key_people.site_id = :site_id::VARCHAR COLLATE "C" AND key_people.key_id = concerned.key_id
UNION SELECT staged_key_people.person_id AS person_id
FROM (SELECT dirty_identity.key_id AS key_id
FROM dirty_identity
WHERE dirty_identity.site_id = :site_id::VARCHAR COLLATE "C"
UNION SELECT staged_key_people.key_id AS key_id
FROM staged_key_people
WHERE staged_key_people.site_id = :site_id::VARCHAR COLLATE "C") AS concerned
JOIN staged_key_people ON staged_key_people.site_id = :site_id::VARCHAR COLLATE "C" AND staged_key_people.key_id = concerned.key_id
WHERE staged_key_people.is_gone IS false) AS people) AS anon_1
WHERE True ON CONFLICT (site_id, person_id, space, deal_id) DO NOTHING;

INSERT INTO enqueued_activities (site_id, space, activity_id)
SELECT DISTINCT anon_1.site_id, anon_1.space, anon_1.activity_id
FROM (SELECT activities.site_id AS site_id, activities.space AS space, activities.activity_id AS activity_id
FROM (SELECT staged_key_people.key_id AS key_id
FROM staged_key_people
WHERE staged_key_people.site_id = :site_id::VARCHAR COLLATE "C") AS changed
JOIN link_keys ON link_keys.site_id = :site_id::VARCHAR COLLATE "C" AND link_keys.key_id = changed.key_id
JOIN activities ON activities.site_id = :site_id::VARCHAR COLLATE "C" AND activities.link_id = link_keys.link_id) AS anon_1
WHERE True ON CONFLICT (site_id, space, activity_id) DO NOTHING;

INSERT INTO spans_queue (site_id, visitor_id, received_at)
SELECT enqueued_spans.site_id, enqueued_spans.visitor_id, :received_at::BIGINT AS anon_1
FROM enqueued_spans
WHERE enqueued_spans.site_id = :site_id::VARCHAR COLLATE "C";

INSERT INTO deals_queue (site_id, space, deal_id, received_at)
SELECT enqueued_deals.site_id, enqueued_deals.space, enqueued_deals.deal_id, :received_at::BIGINT AS anon_1
FROM enqueued_deals
WHERE enqueued_deals.site_id = :site_id::VARCHAR COLLATE "C";

INSERT INTO properties_queue (site_id, holder_id, received_at)
SELECT enqueued_properties.site_id, enqueued_properties.holder_id, :received_at::BIGINT AS anon_1
FROM enqueued_properties
WHERE enqueued_properties.site_id = :site_id::VARCHAR COLLATE "C";

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

INSERT INTO activities_queue (site_id, space, activity_id, received_at)
SELECT enqueued_activities.site_id, enqueued_activities.space, enqueued_activities.activity_id, :received_at::BIGINT AS anon_1
FROM enqueued_activities
WHERE enqueued_activities.site_id = :site_id::VARCHAR COLLATE "C";

INSERT INTO latest_runs (site_id, run_id, kept_since) VALUES (:site_id::VARCHAR COLLATE "C", :run_id::BIGINT, :kept_since::BIGINT) ON CONFLICT (site_id) DO UPDATE SET run_id = greatest(latest_runs.run_id + 1::BIGINT, excluded.run_id) RETURNING latest_runs.run_id;

INSERT INTO key_people (site_id, key_id, person_id, is_crowded)
SELECT staged_key_people.site_id, staged_key_people.key_id, staged_key_people.person_id, staged_key_people.is_crowded
FROM staged_key_people
WHERE staged_key_people.site_id = :site_id::VARCHAR COLLATE "C" AND staged_key_people.is_gone IS false ON CONFLICT (site_id, key_id) DO UPDATE SET person_id = excluded.person_id, is_crowded = excluded.is_crowded;
