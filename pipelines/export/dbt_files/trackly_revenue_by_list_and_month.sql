-- An example to start from: imported revenue by list and month of the sale.
select
    date_trunc('month', day)::date as month,
    list_id,
    any_value(list_name) as list_name,
    sum(conversions) as conversions,
    sum(revenue) as revenue
from {{ source('trackly_marts', 'imported_daily') }}
group by month, list_id
having sum(conversions) > 0
