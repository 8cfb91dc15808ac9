"use strict";
// The OpenAPI document as a page: every endpoint, its fields, an example to copy, its errors.

function made(name, text, ...inside) {
  const found = document.createElement(name);
  if (text) found.textContent = text;
  found.append(...inside);
  return found;
}

function kind(schema) {
  if (schema.anyOf) return schema.anyOf.map(kind).join(" or ");
  if (schema.enum) return schema.enum.map((one) => JSON.stringify(one)).join(" or ");
  if (schema.type === "array") return `list of ${kind(schema.items || {})}`;
  return schema.type || (schema.$ref || "anything").split("/").pop();
}

function fields(schema) {
  const rows = Object.entries(schema.properties || {}).map(([name, one]) => {
    const needed = (schema.required || []).includes(name) ? "required" : `default ${JSON.stringify(one.default ?? null)}`;
    return made("tr", "", made("th", name), made("td", `${kind(one)}; ${needed}`), made("td", one.description || ""));
  });
  return made("table", "", made("tbody", "", ...rows));
}

function shown(path, method, one, schemas) {
  const section = made("section", "", made("h2", `${method.toUpperCase()} ${path}`), made("p", one.summary));
  const body = one.requestBody?.content["application/json"];
  if (body) {
    section.append(fields(schemas[body.schema.$ref.split("/").pop()]));
    const call = `curl ${location.origin}${path} -H 'Authorization: Bearer KEY' -H 'Content-Type: application/json' -d '${JSON.stringify(body.example).replaceAll("'", "'\\''")}'`;
    section.append(made("pre", call));
  }
  const wrong = Object.entries(one.responses).filter(([status]) => status !== "200").map(([status, said]) => `${status} ${said.description}`);
  if (wrong.length) section.append(made("details", "", made("summary", "errors"), made("ul", "", ...wrong.map((line) => made("li", line)))));
  return section;
}

fetch("openapi.json").then((answer) => answer.json()).then((found) => {
  const all = Object.entries(found.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, one]) => shown(path, method, one, found.components.schemas)));
  document.getElementById("endpoints").replaceChildren(...all);
}).catch((problem) => {
  document.getElementById("endpoints").replaceChildren(made("p", `The document cannot be read: ${problem.message}`));
});
