"""Macros of schema `marts`, for marts and analysts: UTC days, hours between instants, which list a number stands for.

What does not belong here: macros of segments (`pipelines.campaigns.segments`), and rows as of an instant
(`pipelines.warehouse.history.views`).
"""

MACROS = """
CREATE OR REPLACE MACRO marts.utc_day(instant) AS make_timestamp(epoch_us(instant))::DATE;
COMMENT ON MACRO marts.utc_day IS
    'The UTC day of an instant, whatever the TimeZone setting; in a tenth of the time that AT TIME ZONE takes.';
CREATE OR REPLACE MACRO marts.hours_between(earlier, later) AS (epoch_us(later) - epoch_us(earlier)) / 3600000000;
COMMENT ON MACRO marts.hours_between IS 'Hours from one instant to another; negative where the other was before.';
CREATE OR REPLACE MACRO marts.is_opt_out(event) AS event IN ('unsubscribe', 'opt-out', 'opt_out');
COMMENT ON MACRO marts.is_opt_out IS 'Whether a webhook event of this name reports an opt-out.';
CREATE OR REPLACE MACRO marts.list_of(number) AS (
    SELECT CASE
        WHEN count(*) FILTER (status IS DISTINCT FROM 'deleted') = 1
            THEN min(id) FILTER (status IS DISTINCT FROM 'deleted')
        WHEN count(*) = 1 THEN min(id)
    END
    FROM main.lists WHERE lists.phone_number = number
);
COMMENT ON MACRO marts.list_of IS
    'The id of the list that a number stands for: the one that is not deleted, or a deleted one where the number has '
    'no other. Null where there is none, and where it may be one of several.'
"""
