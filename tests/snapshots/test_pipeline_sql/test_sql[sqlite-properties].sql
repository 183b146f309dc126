DELETE
FROM dirty_properties
WHERE dirty_properties.site_id = :site_id;

DELETE
FROM staged_properties
WHERE staged_properties.site_id = :site_id;

WITH described_links AS
(SELECT DISTINCT links_of_key.link_id AS link_id
FROM dirty_properties
JOIN key_people AS keys_of_person ON keys_of_person.site_id = :site_id AND keys_of_person.person_id = dirty_properties.holder_id
JOIN link_keys AS links_of_key ON links_of_key.site_id = :site_id AND links_of_key.key_id = keys_of_person.key_id
WHERE dirty_properties.site_id = :site_id AND (EXISTS (SELECT *
FROM person_fields
WHERE person_fields.site_id = :site_id AND person_fields.link_id = links_of_key.link_id))),
owned_links AS
(SELECT described_links.link_id AS link_id, min(key_people.person_id) AS person_id
FROM described_links
JOIN link_keys ON link_keys.site_id = :site_id AND link_keys.link_id = described_links.link_id
JOIN key_people ON key_people.site_id = :site_id AND key_people.key_id = link_keys.key_id
GROUP BY described_links.link_id),
said_of_people AS
(SELECT owned_links.person_id AS person_id, person_fields.field AS field, person_fields.value AS value, person_fields.occurred_at AS occurred_at, person_fields.fact_id AS fact_id, row_number() OVER (PARTITION BY owned_links.person_id, person_fields.field
ORDER BY person_fields.is_trusted DESC, person_fields.occurred_at DESC, person_fields.fact_id DESC, person_fields.visitor_id DESC, person_fields.link_id) AS newest
FROM owned_links
JOIN person_fields ON person_fields.site_id = :site_id AND person_fields.link_id = owned_links.link_id
JOIN dirty_properties ON dirty_properties.site_id = :site_id AND dirty_properties.holder_id = owned_links.person_id
WHERE NOT (EXISTS (SELECT *
FROM unlinks
WHERE unlinks.site_id = :site_id AND unlinks.visitor_id = person_fields.visitor_id AND unlinks.link_id = person_fields.link_id)))
 INSERT INTO staged_properties (site_id, holder_id, property, value, occurred_at, fact_id, is_gone)
SELECT :site_id AS site_id, said_of_people.person_id AS holder_id, said_of_people.field AS property, said_of_people.value, said_of_people.occurred_at, said_of_people.fact_id, 0 AS is_gone
FROM said_of_people
WHERE said_of_people.newest = 1 AND said_of_people.value IS NOT NULL;

WITH said_of_records AS
(SELECT record_fields.record_id AS record_id, record_fields.field AS field, record_fields.value AS value, record_fields.occurred_at AS occurred_at, record_fields.fact_id AS fact_id, row_number() OVER (PARTITION BY record_fields.record_id, record_fields.field
ORDER BY record_fields.occurred_at DESC, record_fields.fact_id DESC) AS newest
FROM dirty_properties
JOIN record_fields ON record_fields.site_id = :site_id AND record_fields.record_id = dirty_properties.holder_id
WHERE dirty_properties.site_id = :site_id)
 INSERT INTO staged_properties (site_id, holder_id, property, value, occurred_at, fact_id, is_gone)
SELECT :site_id AS site_id, said_of_records.record_id AS holder_id, said_of_records.field AS property, said_of_records.value, said_of_records.occurred_at, said_of_records.fact_id, 0 AS is_gone
FROM said_of_records
WHERE said_of_records.newest = 1 AND said_of_records.value IS NOT NULL;

SELECT EXISTS (SELECT *
FROM properties
WHERE properties.site_id = :site_id AND properties.holder_id IN (SELECT dirty_properties.holder_id
FROM dirty_properties
WHERE dirty_properties.site_id = :site_id)) AS anon_1;

SELECT staged_properties.is_gone, count(*) AS number
FROM staged_properties
WHERE staged_properties.site_id = :site_id
GROUP BY staged_properties.is_gone;
