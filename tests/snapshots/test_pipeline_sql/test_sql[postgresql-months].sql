DELETE
FROM dirty_months
WHERE dirty_months.site_id = :site_id::VARCHAR COLLATE "C";

DELETE
FROM staged_monthly_credit
WHERE staged_monthly_credit.site_id = :site_id::VARCHAR COLLATE "C";

INSERT INTO staged_monthly_credit (site_id, kind, month, model, origin_id, millionths, minor, is_gone)
SELECT dirty_months.site_id, dirty_months.kind, dirty_months.month, daily_credit.model, daily_credit.origin_id, CAST(sum(daily_credit.millionths) AS BIGINT) AS millionths, CAST(sum(daily_credit.minor) AS BIGINT) AS minor, false AS is_gone
FROM dirty_months
JOIN daily_credit ON daily_credit.site_id = :site_id::VARCHAR COLLATE "C" AND daily_credit.kind = dirty_months.kind AND daily_credit.day >= dirty_months.month AND daily_credit.day < (dirty_months.month || '/'::VARCHAR COLLATE "C")
WHERE dirty_months.site_id = :site_id::VARCHAR COLLATE "C" AND substr(daily_credit.day, 1::INTEGER, 7::INTEGER) = dirty_months.month
GROUP BY dirty_months.site_id, dirty_months.kind, dirty_months.month, daily_credit.model, daily_credit.origin_id;

SELECT EXISTS (SELECT *
FROM monthly_credit
WHERE monthly_credit.site_id = :site_id::VARCHAR COLLATE "C" AND (monthly_credit.kind, monthly_credit.month) IN (SELECT dirty_months.kind, dirty_months.month
FROM dirty_months
WHERE dirty_months.site_id = :site_id::VARCHAR COLLATE "C")) AS anon_1;

SELECT staged_monthly_credit.is_gone, count(*) AS number
FROM staged_monthly_credit
WHERE staged_monthly_credit.site_id = :site_id::VARCHAR COLLATE "C"
GROUP BY staged_monthly_credit.is_gone;
