"use strict";

const DESCRIPTION = "/openapi.json";

// Summarises what an operation needs, answers and refuses with, below its description.
function summary(operation, parameters) {
  const places = { path: "in the path", query: "in the query" };
  const wants = Object.values(operation.security?.[0] ?? {}).length
    ? [`an access token with the scope \`${Object.values(operation.security[0])[0][0]}\``]
    : ["nothing: anybody may ask"];
  if (operation.security?.[0]?.api_key) wants.push("an api key with the same scope");
  for (const [place, name] of Object.entries(places)) {
    const names = parameters.filter((parameter) => parameter.in === place).map((parameter) => `\`${parameter.name}\``);
    const listed = names.length > 3 ? [`filters ${name}`] : names.length ? [`${names.join(", ")} ${name}`] : [];
    wants.push(...listed);
  }
  if (operation.requestBody) wants.push(operation.requestBody.required ? "a JSON body" : "a JSON body or none");
  const codes = Object.keys(operation.responses);
  const done = codes.filter((code) => code < "300").map((code) => `\`${code}\` ${operation.responses[code].description}`);
  const refused = codes.filter((code) => code >= "400").map((code) => `\`${code}\``);
  return `**Wants** ${wants.join("; ")}.\n\n**Answers** ${done.join(" ")}\n\n**Refuses with** ${refused.join(" ")}`;
}

function* operationsOf(description) {
  for (const item of Object.values(description.paths)) {
    for (const operation of Object.values(item)) yield operation;
  }
}

// Gives each sample caller a token of its own, and each operation the values of its sample request.
function fillIn(description, { callers, calls }) {
  const schemes = description.components.securitySchemes;
  for (const { scheme, name } of callers) {
    schemes[scheme] = { ...schemes.access_token, description: `${name}. ${schemes.access_token.description}` };
  }
  const byOperation = new Map(calls.map((call) => [call.operation, call]));
  for (const operation of operationsOf(description)) {
    const call = byOperation.get(operation.operationId);
    if (!call) continue;
    for (const required of operation.security) {
      if (!required.access_token) continue;
      const scopes = required.access_token;
      delete required.access_token;
      required[call.caller] = scopes;
    }
    for (const [name, value] of call.parameters) {
      const parameter = operation.parameters.find((parameter) => parameter.name === name);
      if (parameter) parameter.example = value;
    }
    if (call.body) {
      for (const content of Object.values(operation.requestBody.content)) content.example = call.body;
    }
  }
}

async function show() {
  const answer = await fetch("/docs/samples.json");
  // Refused under a name that is not the server's own: then the page is that of a server without samples.
  const samples = answer.ok ? await answer.json() : null;
  let isLoading = true;
  const ui = SwaggerUIBundle({
    url: DESCRIPTION,
    dom_id: "#reference",
    deepLinking: true,
    displayOperationId: true,
    displayRequestDuration: true,
    // The operations are what people come for; the schemas unfold on demand.
    defaultModelsExpandDepth: 0,
    // What people enter survives a reload, in the browser's local storage. Samples are filled in at each load; kept ones would be dead
    // after a restart of the server.
    persistAuthorization: samples === null,
    // With samples a request is one press away.
    tryItOutEnabled: samples !== null,
    // Its default sends the description to a server on the internet.
    validatorUrl: null,
    responseInterceptor(response) {
      if (!isLoading || !response.ok) return response;
      isLoading = false;
      const description = JSON.parse(response.text);
      if (samples) fillIn(description, samples);
      for (const operation of operationsOf(description)) {
        operation.description = `${operation.description ?? ""}\n\n${summary(operation, operation.parameters ?? [])}`;
      }
      response.text = JSON.stringify(description);
      return response;
    },
    onComplete() {
      for (const { scheme, token, api_key } of samples?.callers ?? []) {
        ui.preauthorizeApiKey(scheme, token);
        if (api_key) ui.preauthorizeApiKey("api_key", api_key);
      }
    },
  });
}

const dark = matchMedia("(prefers-color-scheme: dark)");
const follow = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
dark.addEventListener("change", follow);
follow();
show();
