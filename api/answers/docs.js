// The page of the OpenAPI document: every route, its parameters, and a GET of it tried out. No other host is asked.
"use strict";

const element = (name, text, attributes = {}) => {
  const made = Object.assign(document.createElement(name), attributes);
  if (text !== undefined) made.textContent = text;
  return made;
};

const headers = () => {
  const key = document.getElementById("key").value.trim();
  return key ? { Authorization: `Bearer ${key}` } : {};
};

const table = (headings, rows) => {
  const made = element("table");
  const top = made.appendChild(element("tr"));
  headings.forEach((heading) => top.append(element("th", heading)));
  rows.forEach((row) => {
    const line = made.appendChild(element("tr"));
    row.forEach((cell) => {
      const data = line.appendChild(element("td"));
      data.append(cell instanceof Node ? cell : document.createTextNode(cell));
    });
  });
  return made;
};

const kindOf = (schema = {}) =>
  schema.enum ? schema.enum.join(" | ") : schema.type ? [].concat(schema.type).join(" or ")
    : (schema.anyOf || []).map(kindOf).join(" or ");

const tryOut = (path, parameters, fields) => {
  const shown = element("pre", "");
  const button = element("button", "Ask", { type: "button" });
  button.addEventListener("click", async () => {
    const query = new URLSearchParams();
    let address = path;
    parameters.forEach((each, i) => {
      const value = fields[i].value;
      if (!value) return;
      if (each.in === "path") address = address.replace(`{${each.name}}`, encodeURIComponent(value));
      if (each.in === "query") query.append(each.name, value);
    });
    const url = query.size ? `${address}?${query}` : address;
    const answer = await fetch(url, { headers: headers() });
    const text = await answer.text();
    let told = text;
    try { told = JSON.stringify(JSON.parse(text), null, 1); } catch { /* it is no JSON */ }
    shown.textContent = `${answer.status} ${url}\n\n${told.slice(0, 20000)}`;
  });
  return [button, shown];
};

const route = (path, method, told) => {
  const made = element("details");
  const summary = made.appendChild(element("summary"));
  summary.append(element("b", method.toUpperCase()), element("code", path), element("span", told.description || ""));
  const body = made.appendChild(element("div"));
  const parameters = (told.parameters || []).filter((each) => each.in !== "header");
  const fields = parameters.map(() => element("input"));
  if (parameters.length) {
    body.append(table(["parameter", "kind", "meaning", ""], parameters.map((each, i) => [
      each.name + (each.required ? " *" : ""), kindOf(each.schema), each.description || "", method === "get" ? fields[i] : "",
    ])));
  }
  const schema = told.requestBody?.content?.["application/json"]?.schema;
  if (schema) body.append(element("p", "Body"), element("pre", JSON.stringify(schema, null, 1)));
  if (method === "get") body.append(...tryOut(path, parameters, fields));
  body.append(table(["status", "code"], Object.entries(told.responses).map(([status, each]) => [status, each.description])));
  made.dataset.text = `${method} ${path} ${told.description || ""}`.toLowerCase();
  return made;
};

const show = async () => {
  const main = document.getElementById("routes");
  const answer = await fetch("openapi.json", { headers: headers() });
  if (!answer.ok) {
    main.replaceChildren(element("p", `${answer.status}: a key is needed to see the routes; give it above, and press Enter.`));
    return;
  }
  const found = await answer.json();
  const resolve = (value) => {
    if (Array.isArray(value)) return value.map(resolve);
    if (value === null || typeof value !== "object") return value;
    if (value.$ref) return resolve(value.$ref.slice(2).split("/").reduce((at, name) => at[name], found));
    return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, resolve(each)]));
  };
  const groups = new Map();
  for (const [path, methods] of Object.entries(resolve(found.paths))) {
    for (const [method, told] of Object.entries(methods)) {
      const tag = (told.tags || ["others"])[0];
      if (!groups.has(tag)) groups.set(tag, []);
      groups.get(tag).push(route(path, method, told));
    }
  }
  main.replaceChildren();
  for (const [tag, routes] of groups) main.append(element("h2", tag), ...routes);
};

document.getElementById("key").addEventListener("change", show);
document.getElementById("find").addEventListener("input", (event) => {
  const wanted = event.target.value.toLowerCase();
  document.querySelectorAll("details").forEach((each) => { each.hidden = !each.dataset.text.includes(wanted); });
});
show();
