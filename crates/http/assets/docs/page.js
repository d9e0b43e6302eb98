SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#reference",
  deepLinking: true,
  displayOperationId: true,
  // The operations are what people come for; the schemas unfold on demand.
  defaultModelsExpandDepth: 0,
  // Its default sends the description to a server on the internet.
  validatorUrl: null,
});
