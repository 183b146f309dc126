DELETE
FROM dirty_months
WHERE dirty_months.site_id = :site_id;

DELETE
FROM staged_monthly_credit
WHERE staged_monthly_credit.site_id = :site_id;

INSERT INTO staged_monthly_credit (site_id, kind, month, model, origin_id, millionths, minor, is_gone)
SELECT dirty_months.site_id, dirty_months.kind, dirty_months.month, daily_credit.model, daily_credit.origin_id, CAST(sum(daily_credit.millionths) AS BIGINT) AS millionths, CAST(sum(daily_credit.minor) AS BIGINT) AS minor, 0 AS is_gone
FROM dirty_months
JOIN daily_credit ON daily_credit.site_id = :site_id AND daily_credit.kind = dirty_months.kind AND daily_credit.day >= dirty_months.month AND daily_credit.day < (dirty_months.month || '/')
WHERE dirty_months.site_id = :site_id AND substr(daily_credit.day, 1, 7) = dirty_months.month
GROUP BY dirty_months.site_id, dirty_months.kind, dirty_months.month, daily_credit.model, daily_credit.origin_id;

SELECT EXISTS (SELECT *
FROM monthly_credit
WHERE monthly_credit.site_id = :site_id AND (monthly_credit.kind, monthly_credit.month) IN (SELECT dirty_months.kind, dirty_months.month
FROM dirty_months
WHERE dirty_months.site_id = :site_id)) AS anon_1;

SELECT staged_monthly_credit.is_gone, count(*) AS number
FROM staged_monthly_credit
WHERE staged_monthly_credit.site_id = :site_id
GROUP BY staged_monthly_credit.is_gone;
