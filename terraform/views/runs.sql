SELECT
  run,
  MIN(IF(kind IN ('run_started', 'guard_refused', 'coalesced', 'dead_lettered'), `at`, NULL)) AS decided_at,
  ANY_VALUE(cause) AS cause,
  LOGICAL_OR(dry_run) AS dry_run,
  MAX(accounts) AS accounts,
  MAX(IF(kind IN ('run_started', 'guard_refused'), blocks, NULL)) AS planned_blocks,
  MAX(IF(kind IN ('run_started', 'guard_refused'), unblocks, NULL)) AS planned_unblocks,
  COUNT(DISTINCT IF(kind = 'user' AND decision = 'block' AND result = 'applied', gitlab_user_id, NULL)) AS blocked,
  COUNT(DISTINCT IF(kind = 'user' AND decision = 'unblock' AND result = 'applied', gitlab_user_id, NULL)) AS unblocked,
  COUNT(DISTINCT IF(kind = 'dead_lettered', message_id, NULL)) AS dead_letters,
  LOGICAL_OR(kind = 'guard_refused') AS refused,
  ANY_VALUE(IF(kind = 'guard_refused', detail, NULL)) AS refusal,
  MAX(unreadable_accounts) AS unreadable_accounts,
  MAX(unreadable_people) AS unreadable_people
FROM `${outcomes}`
WHERE ${arrived} AND run IS NOT NULL AND kind NOT IN ('run_reading', 'run_held')
GROUP BY run
