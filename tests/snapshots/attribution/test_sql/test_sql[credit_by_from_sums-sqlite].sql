WITH whole_months AS
(SELECT DISTINCT substr(daily_ledger.day, 1, 7) AS month
FROM daily_ledger
WHERE daily_ledger.site_id = :site_id AND daily_ledger.kind = :kind AND daily_ledger.day >= :from_day AND daily_ledger.day < :to_day AND substr(daily_ledger.day, 1, 7) >= :first_month AND substr(daily_ledger.day, 1, 7) < :end_month AND (substr(daily_ledger.day, 1, 7) NOT IN (SELECT months_queue.month
FROM months_queue
WHERE months_queue.site_id = :site_id AND months_queue.kind = :kind))),
other_days AS
(SELECT daily_ledger.day AS day
FROM daily_ledger
WHERE daily_ledger.site_id = :site_id AND daily_ledger.kind = :kind AND daily_ledger.day >= :from_day AND daily_ledger.day < :to_day AND daily_ledger.day < :first_month UNION SELECT daily_ledger.day AS day
FROM daily_ledger
WHERE daily_ledger.site_id = :site_id AND daily_ledger.kind = :kind AND daily_ledger.day >= :from_day AND daily_ledger.day < :to_day AND daily_ledger.day >= :end_month UNION SELECT daily_ledger.day AS day
FROM daily_ledger
JOIN months_queue ON months_queue.site_id = :site_id AND months_queue.kind = :kind AND months_queue.month = substr(daily_ledger.day, 1, 7)
WHERE daily_ledger.site_id = :site_id AND daily_ledger.kind = :kind AND daily_ledger.day >= :from_day AND daily_ledger.day < :to_day),
parts AS
(SELECT monthly_credit.origin_id AS origin_id, monthly_credit.millionths AS millionths, monthly_credit.minor AS minor
FROM whole_months
JOIN monthly_credit ON monthly_credit.site_id = :site_id AND monthly_credit.kind = :kind AND monthly_credit.month = whole_months.month AND monthly_credit.model = :model UNION ALL SELECT daily_credit.origin_id AS origin_id, daily_credit.millionths AS millionths, daily_credit.minor AS minor
FROM other_days
JOIN daily_credit ON daily_credit.site_id = :site_id AND daily_credit.kind = :kind AND daily_credit.day = other_days.day AND daily_credit.model = :model),
credit_of_origins AS
(SELECT parts.origin_id AS origin_id, CAST(sum(parts.millionths) AS BIGINT) AS millionths, CAST(sum(parts.minor) AS BIGINT) AS minor
FROM parts
GROUP BY parts.origin_id),
labelled_credit AS
(SELECT coalesce(origin_labels.channel, 'Unassigned') AS channel, credit_of_origins.millionths AS millionths, credit_of_origins.minor AS minor
FROM credit_of_origins
LEFT OUTER JOIN origin_labels ON origin_labels.site_id = :site_id AND origin_labels.origin_id = credit_of_origins.origin_id)
 SELECT labelled_credit.channel, CAST(sum(labelled_credit.millionths) AS BIGINT) AS millionths, CAST(sum(labelled_credit.minor) AS BIGINT) AS minor
FROM labelled_credit
GROUP BY labelled_credit.channel
HAVING CAST(sum(labelled_credit.millionths) AS BIGINT) != 0 OR CAST(sum(labelled_credit.minor) AS BIGINT) != 0
ORDER BY CAST(sum(labelled_credit.millionths) AS BIGINT) DESC, CAST(sum(labelled_credit.minor) AS BIGINT) DESC, CAST(labelled_credit.channel AS TEXT)
