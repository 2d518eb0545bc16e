WITH
months AS (
    SELECT
        date_trunc('month', day)::DATE AS month,
        list_id,
        any_value(list_name) AS list_name,
        arg_min(opening, day) AS opening,
        sum(new) AS new,
        sum(returned) AS returned,
        sum(reactivated) AS reactivated,
        sum(opted_out) AS opted_out,
        sum(removed) AS removed,
        arg_max(closing, day) AS closing,
        sum(net) AS net,
        arg_min(inactive_opening, day) AS inactive_opening,
        sum(inactive_new) AS inactive_new,
        sum(inactive_removed) AS inactive_removed,
        arg_max(inactive_closing, day) AS inactive_closing
    FROM marts.list_churn
    GROUP BY month, list_id
)
SELECT *, (opted_out + removed) / nullif(opening, 0) AS churn_rate FROM months
