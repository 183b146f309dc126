DELETE
FROM dirty_touches
WHERE dirty_touches.site_id = :site_id::VARCHAR COLLATE "C";

DELETE
FROM staged_touches
WHERE staged_touches.site_id = :site_id::VARCHAR COLLATE "C";

DELETE
FROM staged_goal_events
WHERE staged_goal_events.site_id = :site_id::VARCHAR COLLATE "C";

DELETE
FROM staged_left_out_touches
WHERE staged_left_out_touches.site_id = :site_id::VARCHAR COLLATE "C";

WITH ordered_events AS
(SELECT events.visitor_id AS visitor_id, events.event_id AS event_id, events.occurred_at AS occurred_at, events.sequence AS sequence, events.type_rank AS type_rank, events.start_rank AS start_rank, events.campaign_key AS campaign_key, events.origin_id AS origin_id, events.has_internal_referrer AS has_internal_referrer, events.type = 'touch'::VARCHAR AS is_offline, events.reported_by != ''::VARCHAR AS is_reported, max(CASE WHEN (events.is_web IS true) THEN events.occurred_at END) OVER (PARTITION BY events.visitor_id
ORDER BY events.occurred_at, events.sequence, events.type_rank, events.event_id ROWS BETWEEN UNBOUNDED PRECEDING AND 1::INTEGER PRECEDING) AS web_before_at, max(events.start_rank) OVER (PARTITION BY events.visitor_id
ORDER BY events.occurred_at, events.sequence, events.type_rank, events.event_id ROWS BETWEEN UNBOUNDED PRECEDING AND 1::INTEGER PRECEDING) AS rank_before, max(events.start_rank) OVER (PARTITION BY events.visitor_id
ORDER BY events.occurred_at, events.sequence, events.type_rank, events.event_id ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) AS rank_of_visitor
FROM events
WHERE events.site_id = :site_id::VARCHAR COLLATE "C" AND events.visitor_id IN (SELECT dirty_touches.visitor_id
FROM dirty_touches
WHERE dirty_touches.site_id = :site_id::VARCHAR COLLATE "C")),
marked_events AS
(SELECT ordered_events.visitor_id AS visitor_id, ordered_events.event_id AS event_id, ordered_events.occurred_at AS occurred_at, ordered_events.sequence AS sequence, ordered_events.type_rank AS type_rank, ordered_events.start_rank AS start_rank, ordered_events.campaign_key AS campaign_key, ordered_events.origin_id AS origin_id, ordered_events.has_internal_referrer AS has_internal_referrer, ordered_events.is_offline AS is_offline, ordered_events.is_reported AS is_reported, ordered_events.web_before_at AS web_before_at, ordered_events.rank_before AS rank_before, ordered_events.rank_of_visitor AS rank_of_visitor, ordered_events.start_rank = 2::SMALLINT AND (coalesce(ordered_events.rank_before, 0::INTEGER) < 2::SMALLINT OR ordered_events.web_before_at IS NULL OR ordered_events.occurred_at - ordered_events.web_before_at > :session_gap::BIGINT) OR ordered_events.start_rank = 1::SMALLINT AND coalesce(ordered_events.rank_before, 0::INTEGER) = 0::SMALLINT AND ordered_events.rank_of_visitor = 1::SMALLINT AS starts_session
FROM ordered_events),
arrivals AS
(SELECT marked_events.visitor_id AS visitor_id, marked_events.event_id AS event_id, marked_events.occurred_at AS occurred_at, marked_events.sequence AS sequence, marked_events.type_rank AS type_rank, marked_events.start_rank AS start_rank, marked_events.campaign_key AS campaign_key, marked_events.origin_id AS origin_id, marked_events.has_internal_referrer AS has_internal_referrer, marked_events.is_offline AS is_offline, marked_events.is_reported AS is_reported, marked_events.web_before_at AS web_before_at, marked_events.rank_before AS rank_before, marked_events.rank_of_visitor AS rank_of_visitor, marked_events.starts_session AS starts_session
FROM marked_events
WHERE marked_events.starts_session OR marked_events.is_offline OR marked_events.start_rank = 2::SMALLINT AND marked_events.campaign_key IS NOT NULL),
arrivals_in_sessions AS
(SELECT arrivals.visitor_id AS visitor_id, arrivals.event_id AS event_id, arrivals.occurred_at AS occurred_at, arrivals.sequence AS sequence, arrivals.type_rank AS type_rank, arrivals.start_rank AS start_rank, arrivals.campaign_key AS campaign_key, arrivals.origin_id AS origin_id, arrivals.has_internal_referrer AS has_internal_referrer, arrivals.is_offline AS is_offline, arrivals.is_reported AS is_reported, arrivals.web_before_at AS web_before_at, arrivals.rank_before AS rank_before, arrivals.rank_of_visitor AS rank_of_visitor, arrivals.starts_session AS starts_session, max(CASE WHEN arrivals.starts_session THEN arrivals.occurred_at END) OVER (PARTITION BY arrivals.visitor_id
ORDER BY arrivals.occurred_at, arrivals.sequence, arrivals.type_rank, arrivals.event_id ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS session_started_at, sum(CASE WHEN arrivals.starts_session THEN 1::INTEGER ELSE 0::INTEGER END) OVER (PARTITION BY arrivals.visitor_id
ORDER BY arrivals.occurred_at, arrivals.sequence, arrivals.type_rank, arrivals.event_id ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS session_number
FROM arrivals),
placed_arrivals AS
(SELECT arrivals_in_sessions.visitor_id AS visitor_id, arrivals_in_sessions.event_id AS event_id, arrivals_in_sessions.occurred_at AS occurred_at, arrivals_in_sessions.sequence AS sequence, arrivals_in_sessions.type_rank AS type_rank, arrivals_in_sessions.start_rank AS start_rank, arrivals_in_sessions.campaign_key AS campaign_key, arrivals_in_sessions.origin_id AS origin_id, arrivals_in_sessions.has_internal_referrer AS has_internal_referrer, arrivals_in_sessions.is_offline AS is_offline, arrivals_in_sessions.is_reported AS is_reported, arrivals_in_sessions.web_before_at AS web_before_at, arrivals_in_sessions.rank_before AS rank_before, arrivals_in_sessions.rank_of_visitor AS rank_of_visitor, arrivals_in_sessions.starts_session AS starts_session, arrivals_in_sessions.session_started_at AS session_started_at, arrivals_in_sessions.session_number AS session_number, coalesce(origin_labels.is_ignored, false) OR arrivals_in_sessions.has_internal_referrer IS true AND arrivals_in_sessions.origin_id = 'hDe9PeN5rMeojfaXOMnXfw'::VARCHAR COLLATE "C" AS means_nothing
FROM arrivals_in_sessions
LEFT OUTER JOIN origin_labels ON origin_labels.site_id = :site_id::VARCHAR COLLATE "C" AND origin_labels.origin_id = arrivals_in_sessions.origin_id),
possible_touches AS
(SELECT placed_arrivals.visitor_id AS visitor_id, placed_arrivals.event_id AS event_id, placed_arrivals.occurred_at AS occurred_at, placed_arrivals.sequence AS sequence, placed_arrivals.type_rank AS type_rank, placed_arrivals.session_started_at AS session_started_at, placed_arrivals.starts_session AS starts_session, placed_arrivals.is_offline AS is_offline, placed_arrivals.is_reported AS is_reported, placed_arrivals.campaign_key AS campaign_key, CASE WHEN (placed_arrivals.starts_session AND placed_arrivals.means_nothing AND NOT placed_arrivals.is_offline) THEN 'hDe9PeN5rMeojfaXOMnXfw'::VARCHAR ELSE placed_arrivals.origin_id END AS origin_id, lag(placed_arrivals.campaign_key) OVER (PARTITION BY placed_arrivals.visitor_id
ORDER BY placed_arrivals.occurred_at, placed_arrivals.sequence, placed_arrivals.type_rank, placed_arrivals.event_id) AS campaign_before
FROM placed_arrivals
WHERE NOT (placed_arrivals.starts_session AND placed_arrivals.means_nothing AND NOT placed_arrivals.is_offline) OR placed_arrivals.session_number = 1::INTEGER),
numbered_touches AS
(SELECT possible_touches.visitor_id AS visitor_id, possible_touches.event_id AS event_id, possible_touches.occurred_at AS occurred_at, possible_touches.sequence AS sequence, possible_touches.type_rank AS type_rank, possible_touches.session_started_at AS session_started_at, possible_touches.origin_id AS origin_id, possible_touches.is_reported AS is_reported, row_number() OVER (PARTITION BY possible_touches.visitor_id
ORDER BY possible_touches.occurred_at, possible_touches.sequence, possible_touches.type_rank, possible_touches.event_id) AS number, count(*) OVER (PARTITION BY possible_touches.visitor_id) AS of_visitor
FROM possible_touches
WHERE possible_touches.starts_session OR possible_touches.is_offline OR possible_touches.campaign_key IS DISTINCT
FROM possible_touches.campaign_before)
 INSERT INTO staged_touches (site_id, visitor_id, event_id, occurred_at, sequence, type_rank, session_started_at, origin_id, is_reported, touches_left_out, is_gone)
SELECT :site_id::VARCHAR COLLATE "C" AS site_id, numbered_touches.visitor_id, numbered_touches.event_id, numbered_touches.occurred_at, numbered_touches.sequence, numbered_touches.type_rank, numbered_touches.session_started_at, numbered_touches.origin_id, numbered_touches.is_reported, CASE WHEN (numbered_touches.number = 1::INTEGER AND numbered_touches.of_visitor - :touch_cap::INTEGER > 0::INTEGER) THEN numbered_touches.of_visitor - :touch_cap::INTEGER ELSE 0::INTEGER END AS touches_left_out, false AS is_gone
FROM numbered_touches
WHERE numbered_touches.number = 1::INTEGER OR numbered_touches.number > (numbered_touches.of_visitor - :touch_cap::INTEGER) + 1::INTEGER;

WITH submitted_forms AS
(SELECT events.visitor_id AS visitor_id, events.event_id AS event_id, events.occurred_at AS occurred_at, events.sequence AS sequence, substr(CASE WHEN (form_labels.name = ''::VARCHAR) THEN events.path ELSE form_labels.name END, 1::INTEGER, 100::INTEGER) AS name, form_labels.is_lead_form IS true AND (form_labels.needs_email IS false OR events.has_email IS true) AS makes_lead
FROM events, form_labels
WHERE events.site_id = :site_id::VARCHAR COLLATE "C" AND events.visitor_id IN (SELECT dirty_touches.visitor_id
FROM dirty_touches
WHERE dirty_touches.site_id = :site_id::VARCHAR COLLATE "C") AND events.type = 'form_submit'::VARCHAR AND form_labels.site_id = events.site_id AND form_labels.form_id = events.form_id)
 INSERT INTO staged_goal_events (site_id, visitor_id, event_id, purpose, goal, occurred_at, sequence, once_per, is_gone)
SELECT goals.site_id, goals.visitor_id, goals.event_id, goals.purpose, goals.goal, goals.occurred_at, goals.sequence, goals.once_per, goals.is_gone
FROM (SELECT :site_id::VARCHAR COLLATE "C" AS site_id, submitted_forms.visitor_id AS visitor_id, submitted_forms.event_id AS event_id, 'goal'::VARCHAR AS purpose, 'form:'::VARCHAR || submitted_forms.name AS goal, submitted_forms.occurred_at AS occurred_at, submitted_forms.sequence AS sequence, 'person'::VARCHAR AS once_per, false AS is_gone
FROM submitted_forms
UNION ALL SELECT :site_id::VARCHAR COLLATE "C" AS site_id, submitted_forms.visitor_id AS visitor_id, submitted_forms.event_id AS event_id, 'goal'::VARCHAR AS purpose, 'lead'::VARCHAR AS goal, submitted_forms.occurred_at AS occurred_at, submitted_forms.sequence AS sequence, 'person'::VARCHAR AS once_per, false AS is_gone
FROM submitted_forms
WHERE submitted_forms.makes_lead) AS goals
WHERE true;

WITH busy_visitors AS
(SELECT events.visitor_id AS visitor_id
FROM events
WHERE events.site_id = :site_id::VARCHAR COLLATE "C" AND events.visitor_id IN (SELECT dirty_touches.visitor_id
FROM dirty_touches
WHERE dirty_touches.site_id = :site_id::VARCHAR COLLATE "C")
GROUP BY events.visitor_id
HAVING count(*) > :most_pages::INTEGER),
stretches AS
(SELECT staged_touches.visitor_id AS visitor_id, staged_touches.event_id AS event_id, staged_touches.occurred_at AS occurred_at, lead(staged_touches.occurred_at, 1::INTEGER, 253402300799999999::BIGINT) OVER (PARTITION BY staged_touches.visitor_id
ORDER BY staged_touches.occurred_at, staged_touches.sequence, staged_touches.type_rank, staged_touches.event_id) AS ends_at, staged_touches.origin_id AS origin_id
FROM staged_touches
WHERE staged_touches.site_id = :site_id::VARCHAR COLLATE "C" AND staged_touches.visitor_id IN (SELECT events.visitor_id
FROM events
WHERE events.site_id = :site_id::VARCHAR COLLATE "C" AND events.visitor_id IN (SELECT busy_visitors.visitor_id
FROM busy_visitors) AND events.type IN (__[POSTCOMPILE_type_1]) AND events.is_trusted IS false
GROUP BY events.visitor_id, events.occurred_at / 3600000000::BIGINT
HAVING count(*) > :most_pages::INTEGER))
 INSERT INTO staged_left_out_touches (site_id, visitor_id, event_id, occurred_at, ends_at, reason, is_gone)
SELECT :site_id::VARCHAR COLLATE "C" AS site_id, rows_left_out.visitor_id AS visitor_id, rows_left_out.event_id AS event_id, rows_left_out.occurred_at AS occurred_at, rows_left_out.ends_at AS ends_at, 'too_fast'::VARCHAR AS reason, false AS is_gone
FROM (SELECT stretches.visitor_id AS visitor_id, stretches.event_id AS event_id, stretches.occurred_at AS occurred_at, stretches.ends_at AS ends_at, stretches.origin_id AS origin_id
FROM stretches) AS rows_left_out;

WITH stretches AS
(SELECT staged_touches.visitor_id AS visitor_id, staged_touches.event_id AS event_id, staged_touches.occurred_at AS occurred_at, lead(staged_touches.occurred_at, 1::INTEGER, 253402300799999999::BIGINT) OVER (PARTITION BY staged_touches.visitor_id
ORDER BY staged_touches.occurred_at, staged_touches.sequence, staged_touches.type_rank, staged_touches.event_id) AS ends_at, staged_touches.origin_id AS origin_id
FROM staged_touches
WHERE staged_touches.site_id = :site_id::VARCHAR COLLATE "C" AND staged_touches.visitor_id IN (SELECT staged_touches.visitor_id
FROM staged_touches
JOIN origin_labels ON origin_labels.site_id = :site_id::VARCHAR COLLATE "C" AND origin_labels.origin_id = staged_touches.origin_id AND origin_labels.is_spam IS true
WHERE staged_touches.site_id = :site_id::VARCHAR COLLATE "C"))
 INSERT INTO staged_left_out_touches (site_id, visitor_id, event_id, occurred_at, ends_at, reason, is_gone)
SELECT :site_id::VARCHAR COLLATE "C" AS site_id, rows_left_out.visitor_id AS visitor_id, rows_left_out.event_id AS event_id, rows_left_out.occurred_at AS occurred_at, rows_left_out.ends_at AS ends_at, 'spam_referrer'::VARCHAR AS reason, false AS is_gone
FROM (SELECT stretches.visitor_id AS visitor_id, stretches.event_id AS event_id, stretches.occurred_at AS occurred_at, stretches.ends_at AS ends_at, stretches.origin_id AS origin_id
FROM stretches
JOIN origin_labels ON origin_labels.site_id = :site_id::VARCHAR COLLATE "C" AND origin_labels.origin_id = stretches.origin_id AND origin_labels.is_spam IS true
WHERE NOT (EXISTS (SELECT *
FROM staged_left_out_touches
WHERE staged_left_out_touches.site_id = :site_id::VARCHAR COLLATE "C" AND staged_left_out_touches.visitor_id = stretches.visitor_id))) AS rows_left_out;

DELETE
FROM customer_arrivals
WHERE customer_arrivals.site_id = :site_id::VARCHAR COLLATE "C";

INSERT INTO customer_arrivals (site_id, visitor_id, event_id, occurred_at)
SELECT staged_touches.site_id, staged_touches.visitor_id, staged_touches.event_id, staged_touches.occurred_at AS occurred_at
FROM staged_touches
JOIN events ON events.site_id = :site_id::VARCHAR COLLATE "C" AND events.visitor_id = staged_touches.visitor_id AND events.event_id = staged_touches.event_id
WHERE staged_touches.site_id = :site_id::VARCHAR COLLATE "C" AND events.is_web IS true AND events.campaign_key IS NULL AND ((EXISTS (SELECT *
FROM customer_pages
WHERE customer_pages.site_id = events.site_id AND customer_pages.part = 'host'::VARCHAR COLLATE "C" AND customer_pages.value = events.host)) OR (EXISTS (SELECT *
FROM customer_pages
WHERE customer_pages.site_id = events.site_id AND customer_pages.part = 'label'::VARCHAR COLLATE "C" AND customer_pages.value = CASE WHEN (strpos(events.host, '.'::VARCHAR) > 0::INTEGER) THEN substr(events.host, 1::INTEGER, strpos(events.host, '.'::VARCHAR) - 1::INTEGER) ELSE ''::VARCHAR END)) OR (EXISTS (SELECT *
FROM customer_pages
WHERE customer_pages.site_id = events.site_id AND customer_pages.part = 'path'::VARCHAR COLLATE "C" AND customer_pages.value = (rtrim(lower(CAST(events.path AS TEXT) COLLATE "C"), '/'::VARCHAR) || '/'::VARCHAR))) OR (EXISTS (SELECT *
FROM customer_pages
WHERE customer_pages.site_id = events.site_id AND customer_pages.part = 'first'::VARCHAR COLLATE "C" AND customer_pages.value = CASE WHEN (strpos(substr(CASE WHEN ((rtrim(lower(CAST(events.path AS TEXT) COLLATE "C"), '/'::VARCHAR) || '/'::VARCHAR) LIKE '/__/_%'::VARCHAR) THEN substr(rtrim(lower(CAST(events.path AS TEXT) COLLATE "C"), '/'::VARCHAR) || '/'::VARCHAR, 4::INTEGER) WHEN ((rtrim(lower(CAST(events.path AS TEXT) COLLATE "C"), '/'::VARCHAR) || '/'::VARCHAR) LIKE '/__-__/_%'::VARCHAR) THEN substr(rtrim(lower(CAST(events.path AS TEXT) COLLATE "C"), '/'::VARCHAR) || '/'::VARCHAR, 7::INTEGER) ELSE rtrim(lower(CAST(events.path AS TEXT) COLLATE "C"), '/'::VARCHAR) || '/'::VARCHAR END, 2::INTEGER), '/'::VARCHAR) > 0::INTEGER) THEN substr(substr(CASE WHEN ((rtrim(lower(CAST(events.path AS TEXT) COLLATE "C"), '/'::VARCHAR) || '/'::VARCHAR) LIKE '/__/_%'::VARCHAR) THEN substr(rtrim(lower(CAST(events.path AS TEXT) COLLATE "C"), '/'::VARCHAR) || '/'::VARCHAR, 4::INTEGER) WHEN ((rtrim(lower(CAST(events.path AS TEXT) COLLATE "C"), '/'::VARCHAR) || '/'::VARCHAR) LIKE '/__-__/_%'::VARCHAR) THEN substr(rtrim(lower(CAST(events.path AS TEXT) COLLATE "C"), '/'::VARCHAR) || '/'::VARCHAR, 7::INTEGER) ELSE rtrim(lower(CAST(events.path AS TEXT) COLLATE "C"), '/'::VARCHAR) || '/'::VARCHAR END, 2::INTEGER), 1::INTEGER, strpos(substr(CASE WHEN ((rtrim(lower(CAST(events.path AS TEXT) COLLATE "C"), '/'::VARCHAR) || '/'::VARCHAR) LIKE '/__/_%'::VARCHAR) THEN substr(rtrim(lower(CAST(events.path AS TEXT) COLLATE "C"), '/'::VARCHAR) || '/'::VARCHAR, 4::INTEGER) WHEN ((rtrim(lower(CAST(events.path AS TEXT) COLLATE "C"), '/'::VARCHAR) || '/'::VARCHAR) LIKE '/__-__/_%'::VARCHAR) THEN substr(rtrim(lower(CAST(events.path AS TEXT) COLLATE "C"), '/'::VARCHAR) || '/'::VARCHAR, 7::INTEGER) ELSE rtrim(lower(CAST(events.path AS TEXT) COLLATE "C"), '/'::VARCHAR) || '/'::VARCHAR END, 2::INTEGER), '/'::VARCHAR) - 1::INTEGER) ELSE ''::VARCHAR END)) OR (EXISTS (SELECT *
FROM customer_pages
WHERE customer_pages.site_id = events.site_id AND customer_pages.part = 'prefix'::VARCHAR COLLATE "C" AND customer_pages.value = substr(rtrim(lower(CAST(events.path AS TEXT) COLLATE "C"), '/'::VARCHAR) || '/'::VARCHAR, 1::INTEGER, length(customer_pages.value))))) AND NOT (EXISTS (SELECT *
FROM customer_pages
WHERE customer_pages.site_id = events.site_id AND customer_pages.part = 'outside'::VARCHAR COLLATE "C" AND customer_pages.value = CASE WHEN (strpos(substr(CASE WHEN ((rtrim(lower(CAST(events.path AS TEXT) COLLATE "C"), '/'::VARCHAR) || '/'::VARCHAR) LIKE '/__/_%'::VARCHAR) THEN substr(rtrim(lower(CAST(events.path AS TEXT) COLLATE "C"), '/'::VARCHAR) || '/'::VARCHAR, 4::INTEGER) WHEN ((rtrim(lower(CAST(events.path AS TEXT) COLLATE "C"), '/'::VARCHAR) || '/'::VARCHAR) LIKE '/__-__/_%'::VARCHAR) THEN substr(rtrim(lower(CAST(events.path AS TEXT) COLLATE "C"), '/'::VARCHAR) || '/'::VARCHAR, 7::INTEGER) ELSE rtrim(lower(CAST(events.path AS TEXT) COLLATE "C"), '/'::VARCHAR) || '/'::VARCHAR END, 2::INTEGER), '/'::VARCHAR) > 0::INTEGER) THEN substr(substr(CASE WHEN ((rtrim(lower(CAST(events.path AS TEXT) COLLATE "C"), '/'::VARCHAR) || '/'::VARCHAR) LIKE '/__/_%'::VARCHAR) THEN substr(rtrim(lower(CAST(events.path AS TEXT) COLLATE "C"), '/'::VARCHAR) || '/'::VARCHAR, 4::INTEGER) WHEN ((rtrim(lower(CAST(events.path AS TEXT) COLLATE "C"), '/'::VARCHAR) || '/'::VARCHAR) LIKE '/__-__/_%'::VARCHAR) THEN substr(rtrim(lower(CAST(events.path AS TEXT) COLLATE "C"), '/'::VARCHAR) || '/'::VARCHAR, 7::INTEGER) ELSE rtrim(lower(CAST(events.path AS TEXT) COLLATE "C"), '/'::VARCHAR) || '/'::VARCHAR END, 2::INTEGER), 1::INTEGER, strpos(substr(CASE WHEN ((rtrim(lower(CAST(events.path AS TEXT) COLLATE "C"), '/'::VARCHAR) || '/'::VARCHAR) LIKE '/__/_%'::VARCHAR) THEN substr(rtrim(lower(CAST(events.path AS TEXT) COLLATE "C"), '/'::VARCHAR) || '/'::VARCHAR, 4::INTEGER) WHEN ((rtrim(lower(CAST(events.path AS TEXT) COLLATE "C"), '/'::VARCHAR) || '/'::VARCHAR) LIKE '/__-__/_%'::VARCHAR) THEN substr(rtrim(lower(CAST(events.path AS TEXT) COLLATE "C"), '/'::VARCHAR) || '/'::VARCHAR, 7::INTEGER) ELSE rtrim(lower(CAST(events.path AS TEXT) COLLATE "C"), '/'::VARCHAR) || '/'::VARCHAR END, 2::INTEGER), '/'::VARCHAR) - 1::INTEGER) ELSE ''::VARCHAR END)) AND NOT (EXISTS (SELECT *
FROM staged_left_out_touches
WHERE staged_left_out_touches.site_id = :site_id::VARCHAR COLLATE "C" AND staged_left_out_touches.visitor_id = staged_touches.visitor_id AND staged_left_out_touches.event_id = staged_touches.event_id));

SELECT EXISTS (SELECT *
FROM touches
WHERE touches.site_id = :site_id::VARCHAR COLLATE "C" AND touches.visitor_id IN (SELECT dirty_touches.visitor_id
FROM dirty_touches
WHERE dirty_touches.site_id = :site_id::VARCHAR COLLATE "C")) AS anon_1;

SELECT staged_touches.is_gone, count(*) AS number
FROM staged_touches
WHERE staged_touches.site_id = :site_id::VARCHAR COLLATE "C"
GROUP BY staged_touches.is_gone;

SELECT EXISTS (SELECT *
FROM goal_events
WHERE goal_events.site_id = :site_id::VARCHAR COLLATE "C" AND goal_events.visitor_id IN (SELECT dirty_touches.visitor_id
FROM dirty_touches
WHERE dirty_touches.site_id = :site_id::VARCHAR COLLATE "C")) AS anon_1;

SELECT staged_goal_events.is_gone, count(*) AS number
FROM staged_goal_events
WHERE staged_goal_events.site_id = :site_id::VARCHAR COLLATE "C"
GROUP BY staged_goal_events.is_gone;

SELECT EXISTS (SELECT *
FROM left_out_touches
WHERE left_out_touches.site_id = :site_id::VARCHAR COLLATE "C" AND left_out_touches.visitor_id IN (SELECT dirty_touches.visitor_id
FROM dirty_touches
WHERE dirty_touches.site_id = :site_id::VARCHAR COLLATE "C")) AS anon_1;

SELECT staged_left_out_touches.is_gone, count(*) AS number
FROM staged_left_out_touches
WHERE staged_left_out_touches.site_id = :site_id::VARCHAR COLLATE "C"
GROUP BY staged_left_out_touches.is_gone;

DELETE
FROM enqueued_spans
WHERE enqueued_spans.site_id = :site_id::VARCHAR COLLATE "C";

INSERT INTO enqueued_spans (site_id, visitor_id)
SELECT DISTINCT anon_1.site_id, anon_1.visitor_id
FROM (SELECT staged_touches.site_id AS site_id, staged_touches.visitor_id AS visitor_id
FROM staged_touches
WHERE staged_touches.site_id = :site_id::VARCHAR COLLATE "C") AS anon_1
WHERE True ON CONFLICT (site_id, visitor_id) DO NOTHING;

INSERT INTO enqueued_spans (site_id, visitor_id)
SELECT DISTINCT anon_1.site_id, anon_1.visitor_id
FROM (SELECT staged_goal_events.site_id AS site_id, staged_goal_events.visitor_id AS visitor_id
FROM staged_goal_events
WHERE staged_goal_events.site_id = :site_id::VARCHAR COLLATE "C") AS anon_1
WHERE True ON CONFLICT (site_id, visitor_id) DO NOTHING;

INSERT INTO enqueued_spans (site_id, visitor_id)
SELECT DISTINCT anon_1.site_id, anon_1.visitor_id
FROM (SELECT dirty_touches.site_id AS site_id, dirty_touches.visitor_id AS visitor_id
FROM dirty_touches
WHERE dirty_touches.site_id = :site_id::VARCHAR COLLATE "C" AND (EXISTS (SELECT *
FROM sightings
WHERE sightings.site_id = dirty_touches.site_id AND sightings.visitor_id = dirty_touches.visitor_id))) AS anon_1
WHERE True ON CONFLICT (site_id, visitor_id) DO NOTHING;

INSERT INTO spans_queue (site_id, visitor_id, received_at)
SELECT enqueued_spans.site_id, enqueued_spans.visitor_id, :received_at::BIGINT AS anon_1
FROM enqueued_spans
WHERE enqueued_spans.site_id = :site_id::VARCHAR COLLATE "C";
