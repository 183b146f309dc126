DELETE
FROM dirty_spans
WHERE dirty_spans.site_id = :site_id::VARCHAR COLLATE "C";

DELETE
FROM staged_visitor_spans
WHERE staged_visitor_spans.site_id = :site_id::VARCHAR COLLATE "C";

WITH ordered_events AS
(SELECT events.visitor_id AS visitor_id, events.event_id AS event_id, events.occurred_at AS occurred_at, events.sequence AS sequence, events.type_rank AS type_rank, events.start_rank AS start_rank, events.campaign_key AS campaign_key, events.origin_id AS origin_id, events.has_internal_referrer AS has_internal_referrer, events.type = 'touch'::VARCHAR AS is_offline, events.reported_by != ''::VARCHAR AS is_reported, max(CASE WHEN (events.is_web IS true) THEN events.occurred_at END) OVER (PARTITION BY events.visitor_id
ORDER BY events.occurred_at, events.sequence, events.type_rank, events.event_id ROWS BETWEEN UNBOUNDED PRECEDING AND 1::INTEGER PRECEDING) AS web_before_at, max(events.start_rank) OVER (PARTITION BY events.visitor_id
ORDER BY events.occurred_at, events.sequence, events.type_rank, events.event_id ROWS BETWEEN UNBOUNDED PRECEDING AND 1::INTEGER PRECEDING) AS rank_before, max(events.start_rank) OVER (PARTITION BY events.visitor_id
ORDER BY events.occurred_at, events.sequence, events.type_rank, events.event_id ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) AS rank_of_visitor
FROM events
WHERE events.site_id = :site_id::VARCHAR COLLATE "C" AND events.visitor_id IN (SELECT sightings.visitor_id
FROM sightings
WHERE sightings.site_id = :site_id::VARCHAR COLLATE "C" AND sightings.visitor_id IN (SELECT dirty_spans.visitor_id
FROM dirty_spans
WHERE dirty_spans.site_id = :site_id::VARCHAR COLLATE "C")
GROUP BY sightings.visitor_id
HAVING min(sightings.link_id) != max(sightings.link_id))),
sessions AS
(SELECT ordered_events.visitor_id AS visitor_id, ordered_events.occurred_at AS started_at
FROM ordered_events
WHERE ordered_events.start_rank = 2::SMALLINT AND (coalesce(ordered_events.rank_before, 0::INTEGER) < 2::SMALLINT OR ordered_events.web_before_at IS NULL OR ordered_events.occurred_at - ordered_events.web_before_at > :session_gap::BIGINT) OR ordered_events.start_rank = 1::SMALLINT AND coalesce(ordered_events.rank_before, 0::INTEGER) = 0::SMALLINT AND ordered_events.rank_of_visitor = 1::SMALLINT),
identified AS
(SELECT sightings.visitor_id AS visitor_id, sightings.occurred_at AS occurred_at, sightings.sequence AS sequence, sightings.fact_id AS fact_id, sightings.link_id AS link_id, min(key_people.person_id) AS person_id
FROM sightings
JOIN link_keys ON link_keys.site_id = :site_id::VARCHAR COLLATE "C" AND link_keys.link_id = sightings.link_id
JOIN key_people ON key_people.site_id = :site_id::VARCHAR COLLATE "C" AND key_people.key_id = link_keys.key_id
WHERE sightings.site_id = :site_id::VARCHAR COLLATE "C" AND sightings.visitor_id IN (SELECT dirty_spans.visitor_id
FROM dirty_spans
WHERE dirty_spans.site_id = :site_id::VARCHAR COLLATE "C") AND sightings.visitor_id != ''::VARCHAR COLLATE "C" AND NOT (EXISTS (SELECT *
FROM unlinks
WHERE unlinks.site_id = :site_id::VARCHAR COLLATE "C" AND unlinks.visitor_id = sightings.visitor_id AND unlinks.link_id = sightings.link_id)) AND (sightings.is_trusted IS true OR NOT (EXISTS (SELECT *
FROM link_keys AS crowding_keys, crowded_days
WHERE crowding_keys.site_id = sightings.site_id AND crowding_keys.link_id = sightings.link_id AND crowded_days.key_id = crowding_keys.key_id AND crowded_days.day_number = sightings.occurred_at / 86400000000::BIGINT)))
GROUP BY sightings.visitor_id, sightings.occurred_at, sightings.sequence, sightings.fact_id, sightings.link_id),
identifications AS
(SELECT identified.visitor_id AS visitor_id, identified.occurred_at AS occurred_at, identified.fact_id AS fact_id, identified.link_id AS link_id, identified.person_id AS person_id, lag(identified.person_id) OVER (PARTITION BY identified.visitor_id
ORDER BY identified.occurred_at, identified.sequence, identified.fact_id, identified.link_id) AS person_before, lag(identified.occurred_at) OVER (PARTITION BY identified.visitor_id
ORDER BY identified.occurred_at, identified.sequence, identified.fact_id, identified.link_id) AS identified_before, row_number() OVER (PARTITION BY identified.visitor_id
ORDER BY identified.occurred_at, identified.sequence, identified.fact_id, identified.link_id) AS number
FROM identified),
changes_of_owner AS
(SELECT identifications.visitor_id AS visitor_id, identifications.occurred_at AS occurred_at, identifications.fact_id AS fact_id, identifications.link_id AS link_id, identifications.person_id AS person_id, identifications.person_before AS person_before, identifications.identified_before AS identified_before, identifications.number AS number
FROM identifications
WHERE identifications.person_before IS NULL OR identifications.person_before != identifications.person_id),
started AS
(SELECT changes_of_owner.visitor_id AS visitor_id, changes_of_owner.person_id AS person_id, changes_of_owner.fact_id AS fact_id, changes_of_owner.link_id AS link_id, changes_of_owner.number AS number, CASE WHEN (changes_of_owner.person_before IS NULL) THEN 0::INTEGER ELSE greatest(coalesce((SELECT max(sessions.started_at) AS max_1
FROM sessions
WHERE sessions.visitor_id = changes_of_owner.visitor_id AND sessions.started_at <= changes_of_owner.occurred_at), changes_of_owner.occurred_at), changes_of_owner.identified_before + 1::INTEGER) END AS starts_at
FROM changes_of_owner),
ranked AS
(SELECT started.visitor_id AS visitor_id, started.person_id AS person_id, started.fact_id AS fact_id, started.link_id AS link_id, started.number AS number, started.starts_at AS starts_at, row_number() OVER (PARTITION BY started.visitor_id, started.starts_at
ORDER BY started.number DESC) AS rank_at_instant
FROM started),
begun AS
(SELECT ranked.visitor_id AS visitor_id, ranked.person_id AS person_id, ranked.fact_id AS fact_id, ranked.link_id AS link_id, ranked.number AS number, ranked.starts_at AS starts_at, ranked.rank_at_instant AS rank_at_instant
FROM ranked
WHERE ranked.rank_at_instant = 1::INTEGER),
spans AS
(SELECT begun.visitor_id AS visitor_id, begun.starts_at AS starts_at, lead(begun.starts_at, 1::INTEGER, 253402300799999999::BIGINT) OVER (PARTITION BY begun.visitor_id
ORDER BY begun.starts_at) AS ends_at, begun.person_id AS person_id, begun.fact_id AS fact_id, begun.link_id AS link_id
FROM begun
UNION ALL SELECT dirty_spans.visitor_id AS visitor_id, 0::INTEGER AS starts_at, 253402300799999999::BIGINT AS ends_at, 'v_'::VARCHAR || dirty_spans.visitor_id AS person_id, :param_9::VARCHAR COLLATE "C" AS fact_id, :param_10::VARCHAR COLLATE "C" AS link_id
FROM dirty_spans
WHERE dirty_spans.site_id = :site_id::VARCHAR COLLATE "C" AND ((EXISTS (SELECT *
FROM touches
WHERE touches.site_id = :site_id::VARCHAR COLLATE "C" AND touches.visitor_id = dirty_spans.visitor_id)) OR (EXISTS (SELECT *
FROM goal_events
WHERE goal_events.site_id = :site_id::VARCHAR COLLATE "C" AND goal_events.visitor_id = dirty_spans.visitor_id))) AND NOT (EXISTS (SELECT *
FROM identifications
WHERE identifications.visitor_id = dirty_spans.visitor_id))),
spans_with_first_touch AS
(SELECT spans.visitor_id AS visitor_id, spans.starts_at AS starts_at, spans.ends_at AS ends_at, spans.person_id AS person_id, spans.fact_id AS fact_id, spans.link_id AS link_id, (SELECT touches.event_id
FROM touches
WHERE touches.site_id = :site_id::VARCHAR COLLATE "C" AND touches.visitor_id = spans.visitor_id AND touches.occurred_at >= spans.starts_at AND touches.occurred_at < spans.ends_at
ORDER BY touches.occurred_at, touches.sequence, touches.type_rank, touches.event_id
 LIMIT 1::INTEGER) AS first_touch_event_id
FROM spans)
 INSERT INTO staged_visitor_spans (site_id, visitor_id, starts_at, ends_at, person_id, fact_id, link_id, first_touched_at, first_touch_event_id, is_gone)
SELECT :site_id::VARCHAR COLLATE "C" AS site_id, spans_with_first_touch.visitor_id, spans_with_first_touch.starts_at, spans_with_first_touch.ends_at, spans_with_first_touch.person_id, spans_with_first_touch.fact_id, spans_with_first_touch.link_id, touches.occurred_at AS first_touched_at, spans_with_first_touch.first_touch_event_id, false AS is_gone
FROM spans_with_first_touch
LEFT OUTER JOIN touches ON touches.site_id = :site_id::VARCHAR COLLATE "C" AND touches.visitor_id = spans_with_first_touch.visitor_id AND touches.event_id = spans_with_first_touch.first_touch_event_id;

SELECT EXISTS (SELECT *
FROM visitor_spans
WHERE visitor_spans.site_id = :site_id::VARCHAR COLLATE "C" AND visitor_spans.visitor_id IN (SELECT dirty_spans.visitor_id
FROM dirty_spans
WHERE dirty_spans.site_id = :site_id::VARCHAR COLLATE "C")) AS anon_1;

SELECT staged_visitor_spans.is_gone, count(*) AS number
FROM staged_visitor_spans
WHERE staged_visitor_spans.site_id = :site_id::VARCHAR COLLATE "C"
GROUP BY staged_visitor_spans.is_gone;

DELETE
FROM enqueued_conversions
WHERE enqueued_conversions.site_id = :site_id::VARCHAR COLLATE "C";

DELETE
FROM enqueued_deals
WHERE enqueued_deals.site_id = :site_id::VARCHAR COLLATE "C";

DELETE
FROM enqueued_sums
WHERE enqueued_sums.site_id = :site_id::VARCHAR COLLATE "C";

INSERT INTO enqueued_conversions (site_id, person_id, space, deal_id)
SELECT DISTINCT anon_1.site_id, anon_1.person_id, anon_1.space, anon_1.deal_id
FROM (SELECT :site_id::VARCHAR COLLATE "C" AS site_id, candidates.person_id AS person_id, ''::VARCHAR AS space, ''::VARCHAR AS deal_id
FROM (SELECT visitor_spans.visitor_id AS visitor_id, visitor_spans.person_id AS person_id
FROM visitor_spans
WHERE visitor_spans.site_id = :site_id::VARCHAR COLLATE "C" AND visitor_spans.visitor_id IN (SELECT dirty_spans.visitor_id
FROM dirty_spans
WHERE dirty_spans.site_id = :site_id::VARCHAR COLLATE "C")
UNION SELECT staged_visitor_spans.visitor_id AS visitor_id, staged_visitor_spans.person_id AS person_id
FROM staged_visitor_spans
WHERE staged_visitor_spans.site_id = :site_id::VARCHAR COLLATE "C" AND staged_visitor_spans.is_gone IS false) AS candidates
WHERE substr(candidates.person_id, 1::INTEGER, 2::INTEGER) != 'v_'::VARCHAR OR (EXISTS (SELECT *
FROM goal_events
WHERE goal_events.site_id = :site_id::VARCHAR COLLATE "C" AND goal_events.visitor_id = candidates.visitor_id)) OR (EXISTS (SELECT *
FROM conversion_people
WHERE conversion_people.site_id = :site_id::VARCHAR COLLATE "C" AND conversion_people.person_id = candidates.person_id))) AS anon_1
WHERE True ON CONFLICT (site_id, person_id, space, deal_id) DO NOTHING;

INSERT INTO enqueued_deals (site_id, space, deal_id)
SELECT DISTINCT anon_1.site_id, anon_1.space, anon_1.deal_id
FROM (SELECT deal_fields.site_id AS site_id, deal_fields.space AS space, deal_fields.deal_id AS deal_id
FROM staged_visitor_spans
JOIN deal_fields ON deal_fields.site_id = :site_id::VARCHAR COLLATE "C" AND deal_fields.field = 'visitor_id'::VARCHAR COLLATE "C" AND deal_fields.value = staged_visitor_spans.visitor_id
WHERE staged_visitor_spans.site_id = :site_id::VARCHAR COLLATE "C") AS anon_1
WHERE True ON CONFLICT (site_id, space, deal_id) DO NOTHING;

INSERT INTO enqueued_sums (site_id, kind, day)
SELECT DISTINCT anon_1.site_id, anon_1.kind, anon_1.day
FROM (SELECT ledger_entries.site_id AS site_id, ledger_entries.kind AS kind, ledger_entries.counted_on AS day
FROM conversions
JOIN journeys ON journeys.site_id = :site_id::VARCHAR COLLATE "C" AND journeys.kind = conversions.kind AND journeys.holder_id = conversions.holder_id AND journeys.fact_id = conversions.fact_id
JOIN ledger_entries ON ledger_entries.site_id = :site_id::VARCHAR COLLATE "C" AND ledger_entries.kind = conversions.kind AND ledger_entries.holder_id = conversions.holder_id AND ledger_entries.fact_id = conversions.fact_id
WHERE conversions.site_id = :site_id::VARCHAR COLLATE "C" AND (SELECT coalesce(min(visitor_spans.first_touched_at), 253402300799999999::BIGINT) AS coalesce_1
FROM visitor_spans
WHERE visitor_spans.site_id = :site_id::VARCHAR COLLATE "C") != least((SELECT coalesce(min(staged_visitor_spans.first_touched_at), 253402300799999999::BIGINT) AS coalesce_2
FROM staged_visitor_spans
WHERE staged_visitor_spans.site_id = :site_id::VARCHAR COLLATE "C" AND staged_visitor_spans.is_gone IS false), coalesce((SELECT visitor_spans.first_touched_at AS first_touched_at
FROM visitor_spans
WHERE visitor_spans.site_id = :site_id::VARCHAR COLLATE "C" AND visitor_spans.first_touched_at IS NOT NULL AND NOT (EXISTS (SELECT *
FROM staged_visitor_spans
WHERE staged_visitor_spans.site_id = :site_id::VARCHAR COLLATE "C" AND staged_visitor_spans.visitor_id = visitor_spans.visitor_id AND staged_visitor_spans.starts_at = visitor_spans.starts_at))
ORDER BY visitor_spans.first_touched_at
 LIMIT 1::INTEGER), 253402300799999999::BIGINT)) AND conversions.occurred_at >= least((SELECT coalesce(min(visitor_spans.first_touched_at), 253402300799999999::BIGINT) AS coalesce_1
FROM visitor_spans
WHERE visitor_spans.site_id = :site_id::VARCHAR COLLATE "C"), least((SELECT coalesce(min(staged_visitor_spans.first_touched_at), 253402300799999999::BIGINT) AS coalesce_2
FROM staged_visitor_spans
WHERE staged_visitor_spans.site_id = :site_id::VARCHAR COLLATE "C" AND staged_visitor_spans.is_gone IS false), coalesce((SELECT visitor_spans.first_touched_at AS first_touched_at
FROM visitor_spans
WHERE visitor_spans.site_id = :site_id::VARCHAR COLLATE "C" AND visitor_spans.first_touched_at IS NOT NULL AND NOT (EXISTS (SELECT *
FROM staged_visitor_spans
WHERE staged_visitor_spans.site_id = :site_id::VARCHAR COLLATE "C" AND staged_visitor_spans.visitor_id = visitor_spans.visitor_id AND staged_visitor_spans.starts_at = visitor_spans.starts_at))
ORDER BY visitor_spans.first_touched_at
 LIMIT 1::INTEGER), 253402300799999999::BIGINT))) AND conversions.occurred_at < greatest((SELECT coalesce(min(visitor_spans.first_touched_at), 253402300799999999::BIGINT) AS coalesce_1
FROM visitor_spans
WHERE visitor_spans.site_id = :site_id::VARCHAR COLLATE "C"), least((SELECT coalesce(min(staged_visitor_spans.first_touched_at), 253402300799999999::BIGINT) AS coalesce_2
FROM staged_visitor_spans
WHERE staged_visitor_spans.site_id = :site_id::VARCHAR COLLATE "C" AND staged_visitor_spans.is_gone IS false), coalesce((SELECT visitor_spans.first_touched_at AS first_touched_at
FROM visitor_spans
WHERE visitor_spans.site_id = :site_id::VARCHAR COLLATE "C" AND visitor_spans.first_touched_at IS NOT NULL AND NOT (EXISTS (SELECT *
FROM staged_visitor_spans
WHERE staged_visitor_spans.site_id = :site_id::VARCHAR COLLATE "C" AND staged_visitor_spans.visitor_id = visitor_spans.visitor_id AND staged_visitor_spans.starts_at = visitor_spans.starts_at))
ORDER BY visitor_spans.first_touched_at
 LIMIT 1::INTEGER), 253402300799999999::BIGINT))) AND journeys.first_touched_at IS NULL) AS anon_1
WHERE True ON CONFLICT (site_id, kind, day) DO NOTHING;

INSERT INTO conversions_queue (site_id, person_id, space, deal_id, received_at)
SELECT enqueued_conversions.site_id, enqueued_conversions.person_id, enqueued_conversions.space, enqueued_conversions.deal_id, :received_at::BIGINT AS anon_1
FROM enqueued_conversions
WHERE enqueued_conversions.site_id = :site_id::VARCHAR COLLATE "C";

INSERT INTO deals_queue (site_id, space, deal_id, received_at)
SELECT enqueued_deals.site_id, enqueued_deals.space, enqueued_deals.deal_id, :received_at::BIGINT AS anon_1
FROM enqueued_deals
WHERE enqueued_deals.site_id = :site_id::VARCHAR COLLATE "C";

INSERT INTO sums_queue (site_id, kind, day, received_at)
SELECT enqueued_sums.site_id, enqueued_sums.kind, enqueued_sums.day, :received_at::BIGINT AS anon_1
FROM enqueued_sums
WHERE enqueued_sums.site_id = :site_id::VARCHAR COLLATE "C" AND NOT (EXISTS (SELECT *
FROM sums_queue
WHERE sums_queue.site_id = enqueued_sums.site_id AND sums_queue.kind = enqueued_sums.kind AND sums_queue.day = enqueued_sums.day));
