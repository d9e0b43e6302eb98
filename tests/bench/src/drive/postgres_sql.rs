//! The update of a contract division as PostgreSQL is told of it: the checks, the update, and so the audit trigger.

/// What every session of the server has set.
pub(super) const SESSION: &str = "SET search_path = public; SET TIME ZONE 'UTC'";

/// The server's role.
pub(super) const ROLE: &str = "SET ROLE esoz_service";

/// One contract division: its id, contract, division, the time, the user, the request.
pub(super) const UPDATE_ONE: &str = "
WITH record AS MATERIALIZED (
    SELECT stored.id, stored.contract_id FROM contract_divisions AS stored
    WHERE stored.id = $1::uuid AND stored.is_active FOR UPDATE OF stored)
, contract AS MATERIALIZED (
    SELECT stored.id, stored.type, stored.contractor_legal_entity_id, stored.is_active
    FROM record JOIN contracts AS stored ON stored.id IN (record.contract_id, $2::uuid)
    ORDER BY stored.id FOR SHARE OF stored)
, division AS MATERIALIZED (
    SELECT stored.id, stored.legal_entity_id, stored.is_active
    FROM (SELECT count(*) AS locked FROM contract) AS contracts
    JOIN divisions AS stored ON stored.id = $3::uuid AND contracts.locked > 0
    FOR SHARE OF stored)
, request AS MATERIALIZED (SELECT set_config('esoz.request_id', $6::text, true) AS id)
UPDATE contract_divisions AS target
SET contract_id = $2::uuid, division_id = $3::uuid, updated_at = $4::timestamptz, updated_by = $5::uuid
FROM request CROSS JOIN record CROSS JOIN division CROSS JOIN contract AS current CROSS JOIN contract AS wanted
WHERE target.id = record.id
    AND current.id = record.contract_id AND current.type = 'GB_CBP' AND current.is_active
    AND wanted.id = $2::uuid AND wanted.type = 'GB_CBP' AND wanted.is_active
    AND division.is_active AND division.legal_entity_id = wanted.contractor_legal_entity_id
RETURNING target.id, target.contract_id, target.division_id, target.is_active,
    target.inserted_at, target.inserted_by, target.updated_at, target.updated_by";

/// Many contract divisions: their ids, contracts, divisions; for all of them the time, the user, the request.
pub(super) const UPDATE_ROWS: &str = "
WITH args AS MATERIALIZED (
    SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::uuid[]) AS asked (id, contract_id, division_id))
, record AS MATERIALIZED (
    SELECT stored.id, stored.contract_id, args.contract_id AS wanted_id, args.division_id
    FROM args JOIN contract_divisions AS stored ON stored.id = args.id
    WHERE stored.is_active ORDER BY stored.id FOR UPDATE OF stored)
, contract AS MATERIALIZED (
    SELECT stored.id, stored.type, stored.contractor_legal_entity_id, stored.is_active
    FROM (SELECT contract_id AS id FROM record UNION SELECT wanted_id FROM record) AS asked
    JOIN contracts AS stored ON stored.id = asked.id
    ORDER BY stored.id FOR SHARE OF stored)
, division AS MATERIALIZED (
    SELECT stored.id, stored.legal_entity_id, stored.is_active
    FROM (SELECT division_id FROM record ORDER BY division_id) AS asked
    JOIN divisions AS stored ON stored.id = asked.division_id
    FOR SHARE OF stored)
, request AS MATERIALIZED (SELECT set_config('esoz.request_id', $6::text, true) AS id)
UPDATE contract_divisions AS target
SET contract_id = record.wanted_id, division_id = record.division_id,
    updated_at = $4::timestamptz, updated_by = $5::uuid
FROM request CROSS JOIN record
JOIN contract AS current ON current.id = record.contract_id
JOIN contract AS wanted ON wanted.id = record.wanted_id
JOIN division ON division.id = record.division_id
WHERE target.id = record.id
    AND current.type = 'GB_CBP' AND current.is_active
    AND wanted.type = 'GB_CBP' AND wanted.is_active
    AND division.is_active AND division.legal_entity_id = wanted.contractor_legal_entity_id
RETURNING target.id, target.contract_id, target.division_id, target.is_active,
    target.inserted_at, target.inserted_by, target.updated_at, target.updated_by";
