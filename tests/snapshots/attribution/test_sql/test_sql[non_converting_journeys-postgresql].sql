WITH touches_of_people AS
(SELECT visitor_spans.person_id AS person_id, touches.visitor_id AS visitor_id, touches.event_id AS event_id, touches.sequence AS sequence, touches.type_rank AS type_rank, touches.origin_id AS origin_id, touches.occurred_at AS touched_at, max(touches.occurred_at) OVER (PARTITION BY visitor_spans.person_id) AS ended_at
FROM touches
JOIN visitor_spans ON visitor_spans.site_id = :site_id::VARCHAR COLLATE "C" AND visitor_spans.visitor_id = touches.visitor_id AND visitor_spans.starts_at <= touches.occurred_at AND visitor_spans.ends_at > touches.occurred_at
WHERE touches.site_id = :site_id::VARCHAR COLLATE "C" AND NOT (EXISTS (SELECT *
FROM conversion_people
WHERE conversion_people.site_id = :site_id::VARCHAR COLLATE "C" AND conversion_people.person_id = visitor_spans.person_id AND conversion_people.kind = :kind::VARCHAR COLLATE "C")) AND (visitor_spans.person_id NOT IN (SELECT DISTINCT key_people.person_id
FROM (SELECT excluded_keys.key_id AS key_id
FROM excluded_keys
WHERE excluded_keys.site_id = :site_id::VARCHAR COLLATE "C" AND excluded_keys.key_id != ''::VARCHAR COLLATE "C" UNION SELECT key_domains.key_id AS key_id
FROM excluded_keys
JOIN key_domains ON key_domains.site_id = :site_id::VARCHAR COLLATE "C" AND key_domains.domain = excluded_keys.domain
WHERE excluded_keys.site_id = :site_id::VARCHAR COLLATE "C" AND excluded_keys.key_id = ''::VARCHAR COLLATE "C") AS excluded
JOIN key_people ON key_people.site_id = :site_id::VARCHAR COLLATE "C" AND key_people.key_id = excluded.key_id)) AND touches.occurred_at < :ends_at::BIGINT AND touches.occurred_at >= :starts_at::BIGINT - :lookback::BIGINT),
touches_without_conversion AS
(SELECT touches_of_people.person_id AS journey, row_number() OVER (PARTITION BY touches_of_people.person_id
ORDER BY touches_of_people.touched_at, touches_of_people.sequence, touches_of_people.type_rank, touches_of_people.event_id, touches_of_people.visitor_id) AS position, touches_of_people.origin_id AS origin_id
FROM touches_of_people
WHERE touches_of_people.touched_at >= touches_of_people.ended_at - :lookback::BIGINT AND touches_of_people.ended_at >= :starts_at::BIGINT),
labels_numbered AS
(SELECT origin_labels.origin_id AS origin_id, coalesce(origin_labels.campaign, '(not set)'::VARCHAR) AS name, dense_rank() OVER (ORDER BY CAST(coalesce(origin_labels.campaign, '(not set)'::VARCHAR) AS TEXT) COLLATE "C") AS number
FROM origin_labels
WHERE origin_labels.site_id = :site_id::VARCHAR COLLATE "C"),
spelled AS
(SELECT string_agg(CAST(coalesce(labels_numbered.number, 0::BIGINT) AS TEXT), __[POSTCOMPILE_aggregate_strings_1]) OVER (PARTITION BY touches_without_conversion.journey
ORDER BY touches_without_conversion.position ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) AS path, row_number() OVER (PARTITION BY touches_without_conversion.journey
ORDER BY touches_without_conversion.position) AS place
FROM touches_without_conversion
LEFT OUTER JOIN labels_numbered ON labels_numbered.origin_id = touches_without_conversion.origin_id)
 SELECT CAST(spelled.path AS TEXT) COLLATE "C" AS path, 0::BIGINT AS counts, 0::BIGINT AS net, count(*) AS times
FROM spelled
WHERE spelled.place = 1::INTEGER
GROUP BY CAST(spelled.path AS TEXT) COLLATE "C"
ORDER BY path
