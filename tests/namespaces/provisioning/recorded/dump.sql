-- Every row that provisioning may touch, in the form of the recordings: columns that are null left out, plans by name and
-- add-ons by number in place of ids.

SELECT jsonb_strip_nulls(jsonb_build_object(
    'namespaces', (SELECT jsonb_agg(jsonb_build_object('id', id, 'updated_at', updated_at AT TIME ZONE 'UTC', 'type', type,
        'shared_runners_minutes_limit', shared_runners_minutes_limit,
        'extra_shared_runners_minutes_limit', extra_shared_runners_minutes_limit,
        'last_ci_minutes_notification_at', last_ci_minutes_notification_at,
        'last_ci_minutes_usage_notification_level', last_ci_minutes_usage_notification_level)) FROM namespaces),
    'namespace_settings', (SELECT jsonb_agg(to_jsonb(s) - 'created_at') FROM namespace_settings s
        WHERE duo_nano_features_enabled IS NOT NULL),
    'namespace_limits', (SELECT jsonb_agg(to_jsonb(l)) FROM namespace_limits l),
    'gitlab_subscriptions', (SELECT jsonb_agg(to_jsonb(s) - 'hosted_plan_id' || jsonb_build_object('plan', p.name))
        FROM gitlab_subscriptions s LEFT JOIN plans p ON p.id = s.hosted_plan_id),
    'gitlab_subscription_histories', (SELECT jsonb_agg(to_jsonb(h) - 'hosted_plan_id' || jsonb_build_object('plan', p.name))
        FROM gitlab_subscription_histories h LEFT JOIN plans p ON p.id = h.hosted_plan_id),
    'subscription_add_on_purchases', (SELECT jsonb_agg(to_jsonb(p) - 'subscription_add_on_id'
        || jsonb_build_object('add_on_number', a.name))
        FROM subscription_add_on_purchases p JOIN subscription_add_ons a ON a.id = p.subscription_add_on_id),
    'ci_namespace_monthly_usages', (SELECT jsonb_agg(to_jsonb(u) || jsonb_build_object('amount_used', amount_used::text,
        'date', CASE WHEN date = date_trunc('month', now() AT TIME ZONE 'UTC')::date THEN '@month' ELSE date::text END))
        FROM ci_namespace_monthly_usages u)))
