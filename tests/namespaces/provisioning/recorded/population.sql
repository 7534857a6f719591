-- Who is there at the start of every recorded case.

DELETE FROM gitlab_subscription_histories;
DELETE FROM gitlab_subscriptions;
DELETE FROM namespace_limits;
DELETE FROM namespace_settings;
DELETE FROM subscription_add_on_purchases;
DELETE FROM ci_namespace_monthly_usages;
DELETE FROM namespaces;

INSERT INTO namespaces (id, name, path, type, parent_id, organization_id, created_at, updated_at) VALUES
    (10, 'acme', 'acme', 'Group', NULL, 1, '2025-01-01', '2025-01-01'),
    (11, 'platform', 'platform', 'Group', 10, 1, '2025-01-01', '2025-01-01'),
    (12, 'site', 'site', 'Project', 10, 1, '2025-01-01', '2025-01-01'),
    (20, 'ann', 'ann', 'User', NULL, 1, '2025-01-01', '2025-01-01'),
    (21, 'diary', 'diary', 'Project', 20, 1, '2025-01-01', '2025-01-01'),
    (30, 'globex', 'globex', 'Group', NULL, 1001, '2025-01-01', '2025-01-01');

INSERT INTO namespace_settings (namespace_id, created_at, updated_at)
SELECT id, '2025-01-01', '2025-01-01' FROM namespaces WHERE type = 'Group';

UPDATE namespaces SET shared_runners_minutes_limit = 7, extra_shared_runners_minutes_limit = 8,
    last_ci_minutes_usage_notification_level = 30 WHERE id = 30;

INSERT INTO gitlab_subscriptions (id, created_at, updated_at, start_date, end_date, namespace_id, hosted_plan_id,
    max_seats_used, seats, hosted_plan_name_uid)
VALUES (4030, '2025-01-01', '2025-01-01', '2026-01-01', '2027-01-01', 30, 46, 2, 3, 6);

INSERT INTO namespace_limits (namespace_id, additional_purchased_storage_size, additional_purchased_storage_ends_on)
VALUES (30, 5, '2027-01-01');

INSERT INTO subscription_add_on_purchases (id, created_at, updated_at, subscription_add_on_id, namespace_id, quantity,
    started_at, expires_on, purchase_xid, organization_id)
VALUES (6030, '2025-01-01', '2025-01-01', 83, 30, 2, '2026-01-01', '2027-01-01', 'G-1', 1001);
