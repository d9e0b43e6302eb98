"""Requests that meet records which are there: by chance alone every one would name what is not there, and every list would be empty."""

import base64
import itertools
import json
import os
import urllib.request
import uuid
from collections import deque

import schemathesis

# The demo's data: what its dispenses have in common, and divisions and contracts that belong together.
PATIENT = "aff00bf6-68bf-4b49-b66d-f031d48922b3"
PHARMACY = "1f6f2c9e-3a57-4f0b-8d2e-9c5a4b7e1d10"
REQUEST = "6a10c9d2-7b3e-4c51-8f6a-2d9e0b4c7a11"
PROGRAM = "9d43fc05-ae61-4f84-9c9d-50c13e7fad44"
EMPLOYEE = "7b21dae3-8c4f-4d62-9a7b-3eaf1c5d8b22"
PLACE = "8c32ebf4-9d50-4e73-8b8c-4fb02d6e9c33"
DEVICE = "bf65be27-c083-4aa6-be1f-72e35091cf66"
DIVISIONS = ["b2651e27-c083-41a6-9ebf-72e35091cf66", "a1540d16-bf72-4095-8dae-61d24f80be55"]
CONTRACTS = ["e598415a-f3b6-44d9-81e2-a516832cf299", "d4873049-e2a5-43c8-90d1-9405721be188"]


def pair(division, contract):
    return {"body": {"division_id": DIVISIONS[division], "contract_id": CONTRACTS[contract]}}


def queries(*each):
    return itertools.cycle([{"query": query} for query in each])


def dispenses():
    return queries(
        {"status": "in_progress", "page_size": 300},
        {"performer_legal_entity": PHARMACY, "page": 2},
        {"based_on": REQUEST, "device_code": "30221", "when_handed_over_to": "2026-01-31T00:00:00Z"},
        {"program": PROGRAM, "inserted_at_from": "2026-01-01T00:00:00+02:00", "page": 1, "page_size": 1},
    )


def reference(code, value):
    coding = [{"system": "eHealth/resources", "code": code}]
    return {"identifier": {"type": {"coding": coding}, "value": value}}


def new_dispenses():
    """Creates, each of a dispense with an id of its own."""
    while True:
        detail = {
            "device": reference("device_definition", DEVICE),
            "quantity": {"value": 2, "system": "device_unit", "code": "piece"},
            "sell_price": 412.5,
            "discount_amount": 380,
        }
        body = {
            "id": str(uuid.uuid4()),
            "status": "in_progress",
            "performer": reference("employee", EMPLOYEE),
            "location": reference("division", PLACE),
            "based_on": reference("device_request", REQUEST),
            "program": reference("medical_program", PROGRAM),
            "details": [detail],
        }
        yield {"path_parameters": {"patient_id": PATIENT}, "body": body}


def signed(dispense, **changes):
    """What a change of a dispense is given: the dispense as it was answered, with the change, signed by nobody."""
    content = json.dumps({**dispense, **changes}).encode()
    return {
        "path_parameters": {"patient_id": PATIENT, "id": dispense["id"]},
        "body": {"signed_data": base64.b64encode(content).decode()},
    }


# By operation: how a dispense is changed.
CHANGES = {
    "complete_device_dispense": {
        "status": "completed",
        "when_handed_over": "2026-01-31T08:10:00.000Z",
        "payment_amount": 32.5,
    },
    "mark_device_dispense_in_error": {
        "status": "entered_in_error",
        "status_reason": {
            "coding": [{"system": "device_dispense_mark_in_error_reasons", "code": "duplicate"}],
            "text": "",
        },
    },
}


def stop_some():
    """Stops dispenses, so that there are events before the first request for them."""
    with open("dispenses.txt", encoding="utf-8") as file:
        ids = [line.strip().strip('"') for line in itertools.islice(file, 5)]
    for dispense in ids:
        path = f"/api/patients/{PATIENT}/device_dispenses/{dispense}/actions/stop"
        headers = {"Authorization": f"Bearer {os.environ['ESOZ_TOKEN']}"}
        request = urllib.request.Request(os.environ["ESOZ_BASE"] + path, headers=headers, method="PATCH")
        urllib.request.urlopen(request).close()


stop_some()

# What well-formed requests of an operation are given, in turn.
FITTING = {
    # In turn, so that each update finds something to change.
    "update_contract_division": itertools.cycle([pair(0, 0), pair(1, 1)]),
    "create_contract_division": itertools.cycle([pair(1, 0), pair(0, 1)]),
    "create_device_dispense": new_dispenses(),
    "list_device_dispenses": dispenses(),
    "list_device_dispenses_of_patient": dispenses(),
    "list_contract_divisions": queries(
        {"is_active": "true", "page": 1},
        {"contract_id": CONTRACTS[1], "page_size": 500},
        {"division_id": DIVISIONS[1]},
    ),
    "list_events": queries(
        {"entity_type": "DeviceDispense", "event_type": "StatusChangeEvent"},
        {"attribute_name": "status", "new_value": "stopped", "page": 1},
        {"page": 2, "page_size": 1},
    ),
}

# Ids that answers told, of records that no list of data names: created divisions, and events.
told = {"delete_contract_division": deque(), "show_event": deque(maxlen=100)}

# Dispenses that were recorded, as they were answered: each is changed once, by one operation or the other in turn.
recorded = {operation: deque() for operation in CHANGES}

calls = itertools.count()


def fitting(operation):
    """What the next request of an operation is given; none if there is nothing."""
    if dispenses_left := recorded.get(operation):
        return signed(dispenses_left.popleft(), **CHANGES[operation])
    if ids := told.get(operation):
        return {"path_parameters": {"id": ids.popleft()}}
    return next(FITTING[operation]) if operation in FITTING else {}


@schemathesis.hook
def before_call(context, case, kwargs):
    """Every third well-formed request is made one that fits."""
    if not (case.meta and case.meta.generation.mode.is_positive) or next(calls) % 3:
        return
    for part, value in fitting(case.operation.definition.raw.get("operationId")).items():
        setattr(case, part, dict(value))


@schemathesis.hook
def after_call(context, case, response):
    """Remembers which records there are now."""
    operation = case.operation.definition.raw.get("operationId")
    if operation == "create_contract_division" and response.status_code == 201:
        told["delete_contract_division"].append(response.json()["data"]["id"])
    if operation == "create_device_dispense" and response.status_code == 201:
        min(recorded.values(), key=len).append(response.json()["data"])
    if operation == "list_events" and response.status_code == 200:
        told["show_event"].extend(event["id"] for event in response.json()["data"])
