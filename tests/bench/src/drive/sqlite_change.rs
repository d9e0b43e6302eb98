//! The two changes as SQLite is told of them, statement by statement as the server does.

use anyhow::{Context as _, Result, bail, ensure};
use esoz_kernel::time::{rfc3339_micros, rfc3339_millis};
use esoz_kernel::{Clock as _, system::SystemClock};
use rusqlite::{OptionalExtension as _, Transaction, params};

use crate::ids::{Numbered, id};
use crate::job::{StopWork, Toggle, UpdateWork, Work};

const STOP: &str = "
UPDATE device_dispenses SET document = json_set(
    json_set(document, '$.status', 'stopped', '$.updated_at', ?1, '$.updated_by', ?2),
    '$.status_history',
    json_insert(coalesce(json_extract(document, '$.status_history'), '[]'), '$[#]', json(?3)))
WHERE id = ?4 AND status = 'in_progress' AND owner = ?5 AND subject = ?6
RETURNING document";

const PUT_EVENT: &str = "
INSERT INTO outbox (
    event_id, entity_type, entity_id, new_status, event_time, changed_by, request_id, claimed_by, claimed_until)
VALUES (
    ?1, 'DeviceDispense', ?2, 'stopped', ?3, ?4, ?1,
    (SELECT claimed_by FROM outbox WHERE entity_id = ?2 LIMIT 1),
    (SELECT claimed_until FROM outbox WHERE entity_id = ?2 LIMIT 1))";

const RECORD: &str = "
SELECT contract.type = 'GB_CBP' AND contract.is_active AND record.is_active
FROM contract_divisions AS record JOIN contracts AS contract ON contract.id = record.contract_id
WHERE record.id = ?1";

const DIVISION: &str = "SELECT legal_entity_id FROM divisions WHERE id = ?1 AND is_active";

const CONTRACT: &str =
    "SELECT contractor_legal_entity_id FROM contracts WHERE id = ?1 AND type = 'GB_CBP' AND is_active";

const IS_PAIR_TAKEN: &str = "
SELECT EXISTS (SELECT 1 FROM contract_divisions
    WHERE contract_id = ?1 AND division_id = ?2 AND is_active AND id <> ?3)";

const SET_REQUEST: &str = "UPDATE request_context SET request_id = ?1";

const UPDATE: &str = "
UPDATE contract_divisions SET contract_id = ?1, division_id = ?2, updated_at = ?3, updated_by = ?4
WHERE id = ?5
RETURNING id, contract_id, division_id, is_active, inserted_at, inserted_by, updated_at, updated_by";

/// Makes the change whose turn it is.
pub(super) fn change(transaction: &Transaction<'_>, work: &Work, turn: u64) -> Result<()> {
    match work {
        Work::Stop(work) => stop(transaction, work, turn),
        Work::Update(work) => update(transaction, work, turn),
        Work::Create(_) | Work::Complete(_) | Work::Refusals | Work::Show(_) | Work::Get(_) => {
            bail!("SQLite is driven with stops and updates alone")
        }
    }
}

fn stop(transaction: &Transaction<'_>, work: &StopWork, turn: u64) -> Result<()> {
    let dispense = work.dispense(turn).to_string();
    let event = id(Numbered::Event, work.base + turn).to_string();
    let (at, by) = (rfc3339_millis(SystemClock.now()), work.user.to_string());
    let entry = format!(r#"{{"status":"stopped","inserted_at":"{at}","inserted_by":"{by}"}}"#);
    let parameters = params![at, by, entry, dispense, work.owner.to_string(), work.subject];
    let stopped: Option<String> =
        transaction.prepare_cached(STOP)?.query_row(parameters, |row| row.get(0)).optional()?;
    ensure!(stopped.is_some(), "there was no dispense to stop for turn {turn}");
    transaction.prepare_cached(PUT_EVENT)?.execute(params![event, dispense, at, by])?;
    Ok(())
}

fn update(transaction: &Transaction<'_>, work: &UpdateWork, turn: u64) -> Result<()> {
    let Toggle { record, contract, division } = work.toggle(turn);
    let (record, contract, division) = (record.to_string(), contract.to_string(), division.to_string());
    let is_usable: bool = transaction.prepare_cached(RECORD)?.query_row([&record], |row| row.get(0))?;
    let legal_entity: String = transaction
        .prepare_cached(DIVISION)?
        .query_row([&division], |row| row.get(0))
        .context("no division")?;
    let contractor: String = transaction
        .prepare_cached(CONTRACT)?
        .query_row([&contract], |row| row.get(0))
        .context("no contract")?;
    let pair = [&contract, &division, &record];
    let is_taken: bool = transaction.prepare_cached(IS_PAIR_TAKEN)?.query_row(pair, |row| row.get(0))?;
    ensure!(
        is_usable && legal_entity == contractor && !is_taken,
        "contract division {record} may not be updated"
    );
    let request = id(Numbered::Event, turn).to_string();
    transaction.prepare_cached(SET_REQUEST)?.execute([Some(request)])?;
    let parameters =
        params![contract, division, rfc3339_micros(SystemClock.now()), work.user.to_string(), record];
    let updated: String = transaction.prepare_cached(UPDATE)?.query_row(parameters, |row| row.get(0))?;
    ensure!(updated == record, "another contract division was updated");
    transaction.prepare_cached(SET_REQUEST)?.execute([None::<String>])?;
    Ok(())
}
