-- Compares the contacts at the beginning and the end of the month: one that left and came back within it counts as neither.
WITH
months AS (
    SELECT
        date_trunc('month', day)::DATE AS month,
        list_id,
        any_value(list_name) AS list_name,
        arg_min(opening, day) AS opening,
        arg_max(closing, day) AS closing,
        sum(net) AS net,
        arg_min(inactive_opening, day) AS inactive_opening,
        arg_max(inactive_closing, day) AS inactive_closing
    FROM marts.list_churn
    GROUP BY month, list_id
),
-- All turns of contacts that had several. The others have only joined, which follows from the rest.
turns AS (
    SELECT
        phone_number,
        list_id,
        unnest(
            CASE
                WHEN removed AND active_again IS NULL
                    THEN [{moment: since, state: state, found: found}, {moment: until, state: 'gone', found: false}]
                ELSE [{moment: since, state: state, found: found}]
            END,
            recursive := true
        )
    FROM (
        SELECT *, CASE WHEN active THEN 'active' ELSE 'inactive' END AS state, started_by = 'opening' AS found
        FROM marts.list_membership
        WHERE until IS NOT NULL OR started_by NOT IN ('opening', 'new')
    )
),
steps AS (
    SELECT
        phone_number,
        list_id,
        date_trunc('month', marts.utc_day(moment))::DATE AS month,
        moment,
        state,
        CASE WHEN found THEN state ELSE lag(state) OVER turns_of_contact END AS before
    FROM turns
    WINDOW turns_of_contact AS (PARTITION BY phone_number, list_id ORDER BY moment)
),
-- `first` is null where the contact had never been on the list before the month.
ends AS (
    SELECT list_id, month, arg_min_null(before, moment) AS first, arg_max(state, moment) AS last
    FROM steps
    GROUP BY phone_number, list_id, month
),
counts AS (
    SELECT
        list_id,
        month,
        count(*) FILTER (WHERE first = 'gone' AND last = 'active') AS returned,
        count(*) FILTER (WHERE first = 'inactive' AND last = 'active') AS reactivated,
        count(*) FILTER (WHERE first = 'active' AND last = 'inactive') AS opted_out,
        count(*) FILTER (WHERE first = 'active' AND last = 'gone') AS removed,
        count(*) FILTER (WHERE first = 'inactive' AND last = 'gone') AS inactive_removed
    FROM ends
    GROUP BY list_id, month
),
books AS (
    SELECT
        months.*,
        coalesce(returned, 0) AS returned,
        coalesce(reactivated, 0) AS reactivated,
        coalesce(opted_out, 0) AS opted_out,
        coalesce(removed, 0) AS removed,
        coalesce(inactive_removed, 0) AS inactive_removed
    FROM months LEFT JOIN counts USING (month, list_id)
)
SELECT
    *,
    net - reactivated + opted_out + removed AS new,
    inactive_closing - inactive_opening - opted_out + reactivated + inactive_removed AS inactive_new,
    (opted_out + removed) / nullif(opening, 0) AS churn_rate
FROM books
