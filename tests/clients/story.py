"""What `esoz demo` shows, by the client that openapi-python-client generates; `cargo xtask clients` runs it."""

import json
import sys
import time
import uuid
from datetime import datetime, timezone

from esoz_client import AuthenticatedClient
from esoz_client.api.contract_divisions import list_contract_divisions, update_contract_division
from esoz_client.api.device_dispenses import list_device_dispenses, show_device_dispense, stop_device_dispense
from esoz_client.api.events import list_events
from esoz_client.models import (
    ContractDivisionPage,
    ContractDivisionPair,
    ContractDivisionResponse,
    DeviceDispenseResponse,
    DispenseStatus,
    DispenseStatusFilter,
    EventPage,
    Failure,
    ListedDeviceDispensePage,
)

# Of the demo's data: what the contract division can be pointed at.
DIVISION = uuid.UUID("b2651e27-c083-41a6-9ebf-72e35091cf66")
CONTRACT = uuid.UUID("e598415a-f3b6-44d9-81e2-a516832cf299")
# How long an event may take from its change to the log.
DEADLINE_S = 30

with open(sys.argv[1], encoding="utf-8") as file:
    credentials = json.load(file)
client = AuthenticatedClient(
    base_url=credentials["base"],
    token=credentials["token"],
    headers={"api-key": credentials["api_key"]},
    raise_on_unexpected_status=True,
)
patient = uuid.UUID(credentials["patient"])


def expect(kind, answer):
    """The answer, if it is of that type."""
    assert isinstance(answer, kind), answer
    return answer


listed = list_device_dispenses.sync(
    client=client,
    status=DispenseStatusFilter.IN_PROGRESS,
    inserted_at_from=datetime(2026, 1, 1, tzinfo=timezone.utc),
    page_size=1,
)
listed = expect(ListedDeviceDispensePage, listed)
assert listed.paging.page == 1 and listed.paging.total_entries > 0, listed.paging
dispense = listed.data[0].id

shown = expect(DeviceDispenseResponse, show_device_dispense.sync(patient, dispense, client=client))
assert shown.data.status == DispenseStatus.IN_PROGRESS, shown

key = str(uuid.uuid4())
stopped = stop_device_dispense.sync(patient, dispense, client=client, x_idempotency_key=key)
stopped = expect(DeviceDispenseResponse, stopped)
assert stopped.data.status == DispenseStatus.STOPPED and stopped.meta.idempotency_key == key, stopped
assert len(stopped.data.status_history) == len(shown.data.status_history) + 1

refused = expect(Failure, stop_device_dispense.sync(patient, dispense, client=client))
assert refused.meta.code == 409, refused
assert refused.error.message == "Device dispense in status stopped cannot be stopped", refused

until = time.monotonic() + DEADLINE_S
while True:
    events = list_events.sync(
        client=client, entity_type="DeviceDispense", attribute_name="status", new_value="stopped"
    )
    if any(event.entity_id == dispense for event in expect(EventPage, events).data):
        break
    assert time.monotonic() < until, "the stop has no event"
    time.sleep(0.1)

divisions = expect(ContractDivisionPage, list_contract_divisions.sync(client=client))
record = divisions.data[0]
assert divisions.paging.page_number == 1, divisions.paging
pair = ContractDivisionPair(contract_id=CONTRACT, division_id=DIVISION)
updated = expect(ContractDivisionResponse, update_contract_division.sync(record.id, client=client, body=pair))
assert (updated.data.contract_id, updated.data.division_id) == (CONTRACT, DIVISION), updated
