-- How long it took, at the median and in the worst tenth, of what happened and of what was rehearsed.
SELECT mode, key, n, median, p90 FROM (
    SELECT mode, count(accepted) AS n1, count(contained) AS n2, count(resolved) AS n3,
        percentile_cont(ARRAY[0.5, 0.9]) WITHIN GROUP (ORDER BY accepted) AS p1,
        percentile_cont(ARRAY[0.5, 0.9]) WITHIN GROUP (ORDER BY contained) AS p2,
        percentile_cont(ARRAY[0.5, 0.9]) WITHIN GROUP (ORDER BY resolved) AS p3
    FROM (SELECT mode, extract(epoch FROM lead_accepted_at - declared_at)::float AS accepted,
              extract(epoch FROM contained_at - declared_at)::float AS contained,
              extract(epoch FROM resolved_at - declared_at)::float AS resolved
          FROM incidents_incident
          WHERE mode IN ('real', 'drill') AND declared_at BETWEEN %(since)s AND %(now)s) AS i
    GROUP BY mode) AS g
CROSS JOIN LATERAL (VALUES ('accepted', n1, p1[1], p1[2]), ('contain', n2, p2[1], p2[2]),
    ('resolve', n3, p3[1], p3[2])) AS v(key, n, median, p90)
WHERE n > 0 ORDER BY mode, key
