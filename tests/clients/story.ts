// A part of what `esoz demo` shows, with the types that openapi-typescript generates; `cargo xtask clients` compiles and runs it.

import { readFileSync } from "node:fs";
import { argv } from "node:process";

import createClient from "openapi-fetch";
import type { components, paths } from "./esoz.js";

type Failure = components["schemas"]["Failure"];

const { base, token, patient } = JSON.parse(readFileSync(argv[2], "utf8"));
const client = createClient<paths>({ baseUrl: base, headers: { Authorization: `Bearer ${token}` } });

/** The answer, if there is one. */
function expect<T>(answer: T | undefined, error: Failure | undefined): T {
    if (answer === undefined) {
        throw new Error(error?.error.message);
    }
    return answer;
}

const listed = await client.GET("/api/device_dispenses", { params: { query: { status: "in_progress", page_size: 1 } } });
const { data, paging } = expect(listed.data, listed.error);
if (paging.page !== 1 || data.length !== 1) {
    throw new Error(`${paging.page} ${data.length}`);
}
const path = { patient_id: patient, id: data[0].id };
const stop = () =>
    client.PATCH("/api/patients/{patient_id}/device_dispenses/{id}/actions/stop", {
        params: { path, header: { "X-Idempotency-Key": crypto.randomUUID() } },
    });

const stopped = await stop();
const status: components["schemas"]["DispenseStatus"] = expect(stopped.data, stopped.error).data.status;
if (status !== "stopped") {
    throw new Error(status);
}
const refused = await stop();
if (refused.error?.meta.code !== 409) {
    throw new Error(JSON.stringify(refused));
}
