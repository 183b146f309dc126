DELETE
FROM dirty_sums
WHERE dirty_sums.site_id = :site_id::VARCHAR COLLATE "C";

DELETE
FROM staged_daily_credit
WHERE staged_daily_credit.site_id = :site_id::VARCHAR COLLATE "C";

DELETE
FROM staged_daily_ledger
WHERE staged_daily_ledger.site_id = :site_id::VARCHAR COLLATE "C";

SELECT dirty_sums.kind, dirty_sums.day, count(*) AS entries
FROM dirty_sums
JOIN ledger_entries ON ledger_entries.site_id = dirty_sums.site_id AND ledger_entries.kind = dirty_sums.kind AND ledger_entries.counted_on = dirty_sums.day
WHERE dirty_sums.site_id = :site_id::VARCHAR COLLATE "C"
GROUP BY dirty_sums.kind, dirty_sums.day
ORDER BY dirty_sums.kind, dirty_sums.day;

SELECT EXISTS (SELECT *
FROM daily_credit
WHERE daily_credit.site_id = :site_id::VARCHAR COLLATE "C" AND (daily_credit.kind, daily_credit.day) IN (SELECT dirty_sums.kind, dirty_sums.day
FROM dirty_sums
WHERE dirty_sums.site_id = :site_id::VARCHAR COLLATE "C")) AS anon_1;

SELECT staged_daily_credit.is_gone, count(*) AS number
FROM staged_daily_credit
WHERE staged_daily_credit.site_id = :site_id::VARCHAR COLLATE "C"
GROUP BY staged_daily_credit.is_gone;

SELECT EXISTS (SELECT *
FROM daily_ledger
WHERE daily_ledger.site_id = :site_id::VARCHAR COLLATE "C" AND (daily_ledger.kind, daily_ledger.day) IN (SELECT dirty_sums.kind, dirty_sums.day
FROM dirty_sums
WHERE dirty_sums.site_id = :site_id::VARCHAR COLLATE "C")) AS anon_1;

SELECT staged_daily_ledger.is_gone, count(*) AS number
FROM staged_daily_ledger
WHERE staged_daily_ledger.site_id = :site_id::VARCHAR COLLATE "C"
GROUP BY staged_daily_ledger.is_gone;

DELETE
FROM enqueued_months
WHERE enqueued_months.site_id = :site_id::VARCHAR COLLATE "C";

INSERT INTO enqueued_months (site_id, kind, month)
SELECT DISTINCT anon_1.site_id, anon_1.kind, anon_1.month
FROM (SELECT staged_daily_credit.site_id AS site_id, staged_daily_credit.kind AS kind, substr(staged_daily_credit.day, 1::INTEGER, 7::INTEGER) AS month
FROM staged_daily_credit
WHERE staged_daily_credit.site_id = :site_id::VARCHAR COLLATE "C") AS anon_1
WHERE True ON CONFLICT (site_id, kind, month) DO NOTHING;

INSERT INTO months_queue (site_id, kind, month, received_at)
SELECT enqueued_months.site_id, enqueued_months.kind, enqueued_months.month, :received_at::BIGINT AS anon_1
FROM enqueued_months
WHERE enqueued_months.site_id = :site_id::VARCHAR COLLATE "C" AND NOT (EXISTS (SELECT *
FROM months_queue
WHERE months_queue.site_id = enqueued_months.site_id AND months_queue.kind = enqueued_months.kind AND months_queue.month = enqueued_months.month));
