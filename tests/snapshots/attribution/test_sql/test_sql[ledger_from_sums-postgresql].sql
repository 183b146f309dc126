SELECT nullif(daily_ledger.reason, ''::VARCHAR) AS reason, daily_ledger.currency, daily_ledger.is_convertible, daily_ledger.models, CAST(sum(daily_ledger.millionths) AS BIGINT) AS millionths, CAST(sum(daily_ledger.minor) AS BIGINT) AS minor, CAST(sum(daily_ledger.early_millionths) AS BIGINT) AS early_millionths
FROM daily_ledger
WHERE daily_ledger.site_id = :site_id::VARCHAR COLLATE "C" AND daily_ledger.kind = :kind::VARCHAR COLLATE "C" AND daily_ledger.day >= :from_day::VARCHAR COLLATE "C" AND daily_ledger.day < :to_day::VARCHAR COLLATE "C"
GROUP BY daily_ledger.reason, daily_ledger.currency, daily_ledger.is_convertible, daily_ledger.models
