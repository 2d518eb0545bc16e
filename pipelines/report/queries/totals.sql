-- One row: the figures at the top of the page.
SELECT
    (SELECT count(*) FROM main.contacts) AS contacts,
    (SELECT count(*) FILTER (WHERE active) FROM main.contacts) AS active,
    (SELECT count(*) FROM main.lists) AS lists,
    (SELECT count(*) FROM main.offers) AS offers,
    (SELECT coalesce(sum(revenue), 0) FROM main.revenue) AS revenue,
    (SELECT sum(revenue) FROM marts.revenue_daily WHERE basis = 'opening') AS opening,
    (SELECT count(*) > 0 FROM main.revenue WHERE source = 'events') AS events,
    (SELECT coalesce(sum(rows), 0) FROM marts.freshness WHERE direction = 'push') AS imported,
    (SELECT max(finished_at) FROM sync.snapshots WHERE published) AS published_at
