// Draws the OpenAPI document: one block a route, with what it needs, takes and answers. Texts are only ever set as text.
"use strict";

const made = (name, text, ...children) => {
  const element = document.createElement(name);
  if (text) element.textContent = text;
  element.append(...children);
  return element;
};

const followed = (api, schema) => {
  const name = schema?.$ref?.split("/").pop();
  return name ? api.components.schemas[name] : schema;
};

const kind = (schema) => {
  if (!schema) return "";
  if (schema.$ref) return schema.$ref.split("/").pop();
  if (schema.oneOf || schema.anyOf) return (schema.oneOf || schema.anyOf).map(kind).join(" or ");
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(", ");
  if (schema.type === "array") return `list of ${kind(schema.items)}`;
  return [[].concat(schema.type || "anything").join(" or "), schema.format].filter(Boolean).join(", ");
};

const row = (...cells) => made("tr", "", ...cells.map((cell) => made("td", String(cell ?? ""))));

const fields = (api, schema) => {
  const object = followed(api, schema);
  if (!object?.properties) return made("p", kind(schema));
  const rows = Object.entries(object.properties).map(([name, property]) =>
    row(name + (object.required?.includes(name) ? " *" : ""), kind(property), property.description));
  return made("table", "", ...rows);
};

const route = (api, path, method, operation) => {
  const block = made("details", "", made("summary", "", made("b", method.toUpperCase()), made("code", path), ` ${operation.summary || ""}`));
  block.append(made("p", operation.description));
  if (operation["x-needs"]) block.append(made("p", operation["x-needs"]));
  block.lastChild.className = "need";
  if (operation.parameters?.length) {
    const rows = operation.parameters.map((p) => row(p.name + (p.required ? " *" : ""), `${p.in}: ${kind(p.schema)}`, p.description));
    block.append(made("h4", "Parameters"), made("table", "", ...rows));
  }
  for (const [type, media] of Object.entries(operation.requestBody?.content || {})) {
    block.append(made("h4", `Body: ${type}`), fields(api, media.schema));
  }
  block.append(made("h4", "Answers"));
  for (const [status, answer] of Object.entries(operation.responses || {})) {
    const schema = Object.values(answer.content || {})[0]?.schema;
    block.append(made("p", `${status} ${answer.description || ""}`));
    if (schema && status < 400) block.append(fields(api, schema));
  }
  return block;
};

const draw = async () => {
  const api = await (await fetch("/openapi.json")).json();
  const routes = document.getElementById("routes");
  for (const [path, methods] of Object.entries(api.paths)) {
    for (const [method, operation] of Object.entries(methods)) {
      if (operation.responses) routes.append(route(api, path, method, operation));
    }
  }
  document.getElementById("sought").addEventListener("input", (event) => {
    const sought = event.target.value.toLowerCase();
    for (const block of routes.children) block.hidden = !block.textContent.toLowerCase().includes(sought);
  });
};

draw().catch((error) => document.getElementById("routes").append(made("p", `The document could not be read: ${error}`)));
