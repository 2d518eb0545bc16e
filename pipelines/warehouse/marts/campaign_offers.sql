WITH
links AS (
    SELECT
        'schedules' AS subject,
        schedule_id AS subject_id,
        position,
        schedules.name,
        variant_name,
        percent_audience,
        status,
        unnest(range(1, json_array_length(offer_links)::BIGINT + 1)) AS link,
        offer_links
    FROM main.schedule_blasts JOIN main.schedules ON schedules.id = schedule_id
    WHERE json_type(offer_links) = 'ARRAY'
),
slugs AS (SELECT slug, min(id) AS id FROM main.offers WHERE slug IS NOT NULL GROUP BY slug),
refs AS (
    SELECT
        * EXCLUDE (offer_links),
        json_extract_string(offer_links, '$[' || (link - 1) || '].key') AS key,
        json_extract_string(offer_links, '$[' || (link - 1) || '].offer_id') AS offer_ref
    FROM links
),
found AS (
    SELECT
        'creatives' AS subject,
        creative_id::VARCHAR AS subject_id,
        NULL AS position,
        creatives.name,
        NULL AS variant_name,
        NULL AS percent_audience,
        status,
        position AS link,
        key,
        offer_id AS offer_ref,
        resolved_offer_id AS offer_id,
        matched_by
    FROM main.creative_links JOIN main.creatives ON creatives.id = creative_id
    UNION ALL BY NAME
    SELECT
        refs.*,
        coalesce(by_id.id, slugs.id) AS offer_id,
        CASE WHEN by_id.id IS NOT NULL THEN 'id' WHEN slugs.id IS NOT NULL THEN 'slug' END AS matched_by
    FROM refs
    LEFT JOIN (SELECT main.id_key(id) AS key, min(id) AS id FROM main.offers GROUP BY ALL) AS by_id
        ON by_id.key = main.id_key(offer_ref)
    LEFT JOIN slugs ON slugs.slug = offer_ref
)
SELECT found.*, offers.name AS offer_name, offers.status AS offer_status
FROM found LEFT JOIN main.offers ON offers.id = found.offer_id
