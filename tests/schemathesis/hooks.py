"""Bodies that an update can carry out: by chance alone every one would name what is not there."""

import itertools

import schemathesis

# Divisions and contracts of the demo's data that belong together, in turn, so that each update finds something to change.
PAIRS = itertools.cycle(
    [
        ("b2651e27-c083-41a6-9ebf-72e35091cf66", "e598415a-f3b6-44d9-81e2-a516832cf299"),
        ("a1540d16-bf72-4095-8dae-61d24f80be55", "d4873049-e2a5-43c8-90d1-9405721be188"),
    ]
)

calls = itertools.count()


@schemathesis.hook
def before_call(context, case, kwargs):
    """Every third well-formed update names a division and a contract that are there."""
    is_update = case.operation.definition.raw.get("operationId") == "update_contract_division"
    if not (is_update and case.meta and case.meta.generation.mode.is_positive and isinstance(case.body, dict)):
        return
    if next(calls) % 3 == 0:
        division, contract = next(PAIRS)
        case.body = {"division_id": division, "contract_id": contract}
