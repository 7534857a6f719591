-- The tables of a GitLab EE 18.9 as far as provisioning comes near them: names, types, defaults and constraints are
-- GitLab's. Plans and add-ons have ids that are not their numbers, and the plan early_adopter has no row, as where it was
-- recorded.

CREATE TABLE schema_migrations (version varchar PRIMARY KEY);

CREATE TABLE plans (
    id bigserial PRIMARY KEY,
    created_at timestamp without time zone,
    updated_at timestamp without time zone,
    name varchar UNIQUE,
    title varchar,
    plan_name_uid smallint NOT NULL UNIQUE
);

INSERT INTO plans (id, name, plan_name_uid)
SELECT 40 + number, name, number FROM unnest(ARRAY['default', 'free', 'bronze', 'silver', 'premium', 'gold', 'ultimate',
    'ultimate_trial', 'premium_trial', 'ultimate_trial_paid_customer', 'opensource']) WITH ORDINALITY AS plan (name, number);

CREATE TABLE namespaces (
    id bigserial PRIMARY KEY,
    name varchar NOT NULL,
    path varchar NOT NULL,
    owner_id bigint,
    created_at timestamp without time zone,
    updated_at timestamp without time zone,
    type varchar DEFAULT 'User' NOT NULL,
    parent_id bigint,
    shared_runners_minutes_limit integer,
    extra_shared_runners_minutes_limit integer,
    last_ci_minutes_notification_at timestamp with time zone,
    last_ci_minutes_usage_notification_level integer,
    traversal_ids bigint[] DEFAULT '{}' NOT NULL,
    organization_id bigint NOT NULL
);

CREATE TABLE namespace_settings (
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    namespace_id bigint PRIMARY KEY REFERENCES namespaces ON DELETE CASCADE,
    duo_nano_features_enabled boolean
);

CREATE TABLE namespace_limits (
    additional_purchased_storage_size bigint DEFAULT 0 NOT NULL,
    additional_purchased_storage_ends_on date,
    namespace_id bigint PRIMARY KEY REFERENCES namespaces ON DELETE CASCADE,
    temporary_storage_increase_ends_on date,
    pre_enforcement_notification_at timestamp with time zone,
    first_enforced_at timestamp with time zone,
    last_enforced_at timestamp with time zone,
    last_seat_all_used_seats_notification_at timestamp with time zone,
    max_number_of_vulnerabilities_per_project integer
);

CREATE TABLE gitlab_subscriptions (
    id bigserial PRIMARY KEY,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    start_date date,
    end_date date,
    trial_ends_on date,
    namespace_id bigint NOT NULL UNIQUE REFERENCES namespaces,
    hosted_plan_id bigint REFERENCES plans ON DELETE CASCADE,
    max_seats_used integer DEFAULT 0,
    seats integer DEFAULT 0,
    trial boolean DEFAULT false,
    trial_starts_on date,
    auto_renew boolean,
    seats_in_use integer DEFAULT 0 NOT NULL,
    seats_owed integer DEFAULT 0 NOT NULL,
    trial_extension_type smallint,
    max_seats_used_changed_at timestamp with time zone,
    last_seat_refresh_at timestamp with time zone,
    hosted_plan_name_uid smallint
);

CREATE TABLE gitlab_subscription_histories (
    id bigserial PRIMARY KEY,
    gitlab_subscription_created_at timestamp with time zone,
    gitlab_subscription_updated_at timestamp with time zone,
    start_date date,
    end_date date,
    trial_ends_on date,
    namespace_id bigint,
    hosted_plan_id bigint,
    max_seats_used integer,
    seats integer,
    trial boolean,
    change_type smallint,
    gitlab_subscription_id bigint NOT NULL,
    created_at timestamp with time zone,
    trial_starts_on date,
    auto_renew boolean,
    trial_extension_type smallint,
    seats_in_use integer,
    hosted_plan_name_uid smallint
);

CREATE TABLE subscription_add_ons (
    id bigserial PRIMARY KEY,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    name smallint NOT NULL UNIQUE,
    description text NOT NULL CHECK (char_length(description) <= 512)
);

INSERT INTO subscription_add_ons (id, created_at, updated_at, name, description)
SELECT 80 + number, now(), now(), number, '' FROM unnest(ARRAY[1, 3, 5]) AS number;

CREATE TABLE subscription_add_on_purchases (
    id bigserial PRIMARY KEY,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    subscription_add_on_id bigint NOT NULL REFERENCES subscription_add_ons ON DELETE CASCADE,
    namespace_id bigint REFERENCES namespaces ON DELETE CASCADE,
    quantity integer NOT NULL,
    expires_on date NOT NULL,
    purchase_xid text NOT NULL CHECK (char_length(purchase_xid) <= 255),
    last_assigned_users_refreshed_at timestamp with time zone,
    trial boolean DEFAULT false NOT NULL,
    started_at date NOT NULL,
    organization_id bigint NOT NULL
);

CREATE UNIQUE INDEX index_addon_purchases_on_add_on_id_and_namespace_id
    ON subscription_add_on_purchases (subscription_add_on_id, namespace_id) WHERE namespace_id IS NOT NULL;

CREATE TABLE ci_namespace_monthly_usages (
    id bigserial PRIMARY KEY,
    namespace_id bigint NOT NULL,
    date date NOT NULL CHECK (date = date_trunc('month', date::timestamp with time zone)),
    notification_level smallint DEFAULT 100 NOT NULL,
    created_at timestamp with time zone,
    amount_used numeric(18, 4) DEFAULT 0 NOT NULL,
    shared_runners_duration bigint DEFAULT 0 NOT NULL
);

CREATE UNIQUE INDEX index_ci_namespace_monthly_usages_on_namespace_id_and_date
    ON ci_namespace_monthly_usages (namespace_id, date);

CREATE TABLE ci_pending_builds (
    id bigserial PRIMARY KEY,
    build_id bigint NOT NULL,
    project_id bigint NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    namespace_id bigint,
    minutes_exceeded boolean DEFAULT false NOT NULL,
    namespace_traversal_ids bigint[] DEFAULT '{}'
);

-- What GitLab makes from here on is new; what is recorded to have been there has lower ids.
ALTER SEQUENCE gitlab_subscriptions_id_seq RESTART 100001;
ALTER SEQUENCE gitlab_subscription_histories_id_seq RESTART 100001;
ALTER SEQUENCE subscription_add_on_purchases_id_seq RESTART 100001;
ALTER SEQUENCE ci_namespace_monthly_usages_id_seq RESTART 100001;
