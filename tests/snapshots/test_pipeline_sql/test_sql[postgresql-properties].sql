DELETE
FROM dirty_properties
WHERE dirty_properties.site_id = :site_id::VARCHAR COLLATE "C";

DELETE
FROM staged_properties
WHERE staged_properties.site_id = :site_id::VARCHAR COLLATE "C";

WITH described_links AS
(SELECT DISTINCT links_of_key.link_id AS link_id
FROM dirty_properties
JOIN key_people AS keys_of_person ON keys_of_person.site_id = :site_id::VARCHAR COLLATE "C" AND keys_of_person.person_id = dirty_properties.holder_id
JOIN link_keys AS links_of_key ON links_of_key.site_id = :site_id::VARCHAR COLLATE "C" AND links_of_key.key_id = keys_of_person.key_id
WHERE dirty_properties.site_id = :site_id::VARCHAR COLLATE "C" AND (EXISTS (SELECT *
FROM person_fields
WHERE person_fields.site_id = :site_id::VARCHAR COLLATE "C" AND person_fields.link_id = links_of_key.link_id))),
owned_links AS
(SELECT described_links.link_id AS link_id, min(key_people.person_id) AS person_id
FROM described_links
JOIN link_keys ON link_keys.site_id = :site_id::VARCHAR COLLATE "C" AND link_keys.link_id = described_links.link_id
JOIN key_people ON key_people.site_id = :site_id::VARCHAR COLLATE "C" AND key_people.key_id = link_keys.key_id
GROUP BY described_links.link_id),
said_of_people AS
(SELECT owned_links.person_id AS holder_id, person_fields.field AS field, person_fields.value AS value, person_fields.occurred_at AS occurred_at, person_fields.fact_id AS fact_id, row_number() OVER (PARTITION BY owned_links.person_id, person_fields.field
ORDER BY person_fields.is_trusted DESC, person_fields.occurred_at DESC, person_fields.fact_id DESC, person_fields.visitor_id DESC, person_fields.link_id) AS newest
FROM owned_links
JOIN person_fields ON person_fields.site_id = :site_id::VARCHAR COLLATE "C" AND person_fields.link_id = owned_links.link_id
JOIN dirty_properties ON dirty_properties.site_id = :site_id::VARCHAR COLLATE "C" AND dirty_properties.holder_id = owned_links.person_id
WHERE NOT (EXISTS (SELECT *
FROM unlinks
WHERE unlinks.site_id = :site_id::VARCHAR COLLATE "C" AND unlinks.visitor_id = person_fields.visitor_id AND unlinks.link_id = person_fields.link_id))),
said_of_people_last AS
(SELECT said_of_people.holder_id AS holder_id, said_of_people.field AS field, said_of_people.value AS value, said_of_people.occurred_at AS occurred_at, said_of_people.fact_id AS fact_id, said_of_people.newest AS newest, max(CASE WHEN (said_of_people.newest = 1::INTEGER) THEN said_of_people.value END) OVER (PARTITION BY said_of_people.holder_id, said_of_people.field) AS last_value
FROM said_of_people),
said_of_people_unbroken AS
(SELECT said_of_people_last.holder_id AS holder_id, said_of_people_last.field AS field, said_of_people_last.value AS value, said_of_people_last.occurred_at AS occurred_at, said_of_people_last.fact_id AS fact_id, said_of_people_last.newest AS newest, said_of_people_last.last_value AS last_value, sum(CASE WHEN (said_of_people_last.value IS DISTINCT
FROM said_of_people_last.last_value) THEN 1::INTEGER ELSE 0::INTEGER END) OVER (PARTITION BY said_of_people_last.holder_id, said_of_people_last.field
ORDER BY said_of_people_last.newest ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS breaks
FROM said_of_people_last)
 INSERT INTO staged_properties (site_id, holder_id, property, value, occurred_at, fact_id, is_gone)
SELECT :site_id::VARCHAR COLLATE "C" AS site_id, held.holder_id, held.field AS property, held.value, held.occurred_at, held.fact_id, false AS is_gone
FROM (SELECT said_of_people_unbroken.holder_id AS holder_id, said_of_people_unbroken.field AS field, said_of_people_unbroken.value AS value, said_of_people_unbroken.occurred_at AS occurred_at, said_of_people_unbroken.fact_id AS fact_id, said_of_people_unbroken.newest AS newest, said_of_people_unbroken.last_value AS last_value, said_of_people_unbroken.breaks AS breaks, row_number() OVER (PARTITION BY said_of_people_unbroken.holder_id, said_of_people_unbroken.field
ORDER BY said_of_people_unbroken.newest DESC) AS oldest
FROM said_of_people_unbroken
WHERE said_of_people_unbroken.breaks = 0::INTEGER AND said_of_people_unbroken.value IS NOT NULL) AS held
WHERE held.oldest = 1::INTEGER;

WITH said_of_records AS
(SELECT record_fields.record_id AS holder_id, record_fields.field AS field, record_fields.value AS value, record_fields.occurred_at AS occurred_at, record_fields.fact_id AS fact_id, row_number() OVER (PARTITION BY record_fields.record_id, record_fields.field
ORDER BY record_fields.occurred_at DESC, record_fields.fact_id DESC) AS newest
FROM dirty_properties
JOIN record_fields ON record_fields.site_id = :site_id::VARCHAR COLLATE "C" AND record_fields.record_id = dirty_properties.holder_id
WHERE dirty_properties.site_id = :site_id::VARCHAR COLLATE "C"),
said_of_records_last AS
(SELECT said_of_records.holder_id AS holder_id, said_of_records.field AS field, said_of_records.value AS value, said_of_records.occurred_at AS occurred_at, said_of_records.fact_id AS fact_id, said_of_records.newest AS newest, max(CASE WHEN (said_of_records.newest = 1::INTEGER) THEN said_of_records.value END) OVER (PARTITION BY said_of_records.holder_id, said_of_records.field) AS last_value
FROM said_of_records),
said_of_records_unbroken AS
(SELECT said_of_records_last.holder_id AS holder_id, said_of_records_last.field AS field, said_of_records_last.value AS value, said_of_records_last.occurred_at AS occurred_at, said_of_records_last.fact_id AS fact_id, said_of_records_last.newest AS newest, said_of_records_last.last_value AS last_value, sum(CASE WHEN (said_of_records_last.value IS DISTINCT
FROM said_of_records_last.last_value) THEN 1::INTEGER ELSE 0::INTEGER END) OVER (PARTITION BY said_of_records_last.holder_id, said_of_records_last.field
ORDER BY said_of_records_last.newest ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS breaks
FROM said_of_records_last)
 INSERT INTO staged_properties (site_id, holder_id, property, value, occurred_at, fact_id, is_gone)
SELECT :site_id::VARCHAR COLLATE "C" AS site_id, held.holder_id, held.field AS property, held.value, held.occurred_at, held.fact_id, false AS is_gone
FROM (SELECT said_of_records_unbroken.holder_id AS holder_id, said_of_records_unbroken.field AS field, said_of_records_unbroken.value AS value, said_of_records_unbroken.occurred_at AS occurred_at, said_of_records_unbroken.fact_id AS fact_id, said_of_records_unbroken.newest AS newest, said_of_records_unbroken.last_value AS last_value, said_of_records_unbroken.breaks AS breaks, row_number() OVER (PARTITION BY said_of_records_unbroken.holder_id, said_of_records_unbroken.field
ORDER BY said_of_records_unbroken.newest DESC) AS oldest
FROM said_of_records_unbroken
WHERE said_of_records_unbroken.breaks = 0::INTEGER AND said_of_records_unbroken.value IS NOT NULL) AS held
WHERE held.oldest = 1::INTEGER;

SELECT EXISTS (SELECT *
FROM properties
WHERE properties.site_id = :site_id::VARCHAR COLLATE "C" AND properties.holder_id IN (SELECT dirty_properties.holder_id
FROM dirty_properties
WHERE dirty_properties.site_id = :site_id::VARCHAR COLLATE "C")) AS anon_1;

SELECT staged_properties.is_gone, count(*) AS number
FROM staged_properties
WHERE staged_properties.site_id = :site_id::VARCHAR COLLATE "C"
GROUP BY staged_properties.is_gone;

DELETE
FROM enqueued_conversions
WHERE enqueued_conversions.site_id = :site_id::VARCHAR COLLATE "C";

INSERT INTO enqueued_conversions (site_id, person_id, space, deal_id)
SELECT DISTINCT anon_1.site_id, anon_1.person_id, anon_1.space, anon_1.deal_id
FROM (SELECT :site_id::VARCHAR COLLATE "C" AS site_id, people.person_id AS person_id, ''::VARCHAR COLLATE "C" AS space, ''::VARCHAR COLLATE "C" AS deal_id
FROM (SELECT staged_properties.holder_id AS person_id
FROM staged_properties
WHERE staged_properties.site_id = :site_id::VARCHAR COLLATE "C" AND NOT ((staged_properties.holder_id LIKE 'deal:'::VARCHAR COLLATE "C" || '%' ESCAPE '/') OR (staged_properties.holder_id LIKE 'company:'::VARCHAR COLLATE "C" || '%' ESCAPE '/')) AND ((EXISTS (SELECT *
FROM score_rules
WHERE score_rules.site_id = :site_id::VARCHAR COLLATE "C" AND score_rules."of" = 'person'::VARCHAR AND score_rules.property = staged_properties.property)) OR staged_properties.property = ''::VARCHAR COLLATE "C" AND (EXISTS (SELECT *
FROM score_rules
WHERE score_rules.site_id = :site_id::VARCHAR COLLATE "C" AND score_rules."of" = 'company'::VARCHAR)))
UNION SELECT properties.holder_id AS holder_id
FROM staged_properties
JOIN properties ON properties.site_id = :site_id::VARCHAR COLLATE "C" AND properties.property = ''::VARCHAR COLLATE "C" AND properties.value = staged_properties.holder_id
WHERE staged_properties.site_id = :site_id::VARCHAR COLLATE "C" AND (EXISTS (SELECT *
FROM score_rules
WHERE score_rules.site_id = :site_id::VARCHAR COLLATE "C" AND score_rules."of" = 'company'::VARCHAR AND score_rules.property = staged_properties.property))) AS people) AS anon_1
WHERE True ON CONFLICT (site_id, person_id, space, deal_id) DO NOTHING;

INSERT INTO conversions_queue (site_id, person_id, space, deal_id, received_at)
SELECT enqueued_conversions.site_id, enqueued_conversions.person_id, enqueued_conversions.space, enqueued_conversions.deal_id, :received_at::BIGINT AS anon_1
FROM enqueued_conversions
WHERE enqueued_conversions.site_id = :site_id::VARCHAR COLLATE "C";
