SELECT `at`, crsid, username, gitlab_user_id, class, decision, reason, result, dry_run, run, cause, dead_letter_reason, detail
FROM (
  SELECT *,
    LAG(CONCAT(IFNULL(decision, ''), ' ', IFNULL(reason, ''))) OVER (PARTITION BY gitlab_user_id ORDER BY `at`) AS previous
  FROM `${outcomes}`
  WHERE ${arrived} AND kind IN ('user', 'dead_lettered') AND gitlab_user_id IS NOT NULL
)
WHERE decision IS DISTINCT FROM 'keep' OR previous IS NULL OR previous != CONCAT(decision, ' ', IFNULL(reason, ''))
