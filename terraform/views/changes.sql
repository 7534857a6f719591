SELECT DISTINCT `at`, decision AS change, result, reason, gitlab_user_id, username, crsid, run, cause
FROM `${outcomes}`
WHERE ${arrived}
  AND kind = 'user' AND decision IN ('block', 'unblock') AND result IN ('applied', 'state_forbids')
