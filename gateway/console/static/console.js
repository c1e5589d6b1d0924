// Builds the request that the form describes, and sends it with a key made for this session.
"use strict";

const builder = document.getElementById("builder");
const form = document.getElementById("request");
const element = (id) => document.getElementById(id);
const WHO = { "user-calls": "user", "queue-calls": "queue", "ring-group-calls": "ring_group" };
const E164 = /^\+[1-9][0-9]{6,14}$/;
const keys = new Map(); // scope → {key, until}

function described() {
  const kind = form.elements.request.value;
  if (kind === "call") {
    const destination = form.elements.destination.value.trim();
    return {
      method: "POST", scope: "calls:write", url: location.origin + "/v1/calls",
      body: { user: form.elements.caller.value, to: destination },
      fault: E164.test(destination) ? "" : "The destination is an E.164 number: +, country code, number, no spaces.",
    };
  }
  const query = new URLSearchParams();
  for (const name of ["from", "to", "sort", WHO[kind], "offset", "limit"]) {
    const value = form.elements[name].value;
    if (value !== "") query.append(name, value);
  }
  return { method: "GET", scope: "calls:read", url: `${location.origin}/v1/${kind}?${query}`, body: null, fault: "" };
}

function show() {
  const kind = form.elements.request.value;
  for (const field of form.querySelectorAll("[data-for]")) {
    const wanted = field.dataset.for;
    field.hidden = !(wanted === kind || (wanted === "list" && kind !== "call"));
  }
  const request = described();
  element("method").textContent = request.method;
  element("url").value = request.url;
  element("body-part").hidden = request.body === null;
  element("real-call").hidden = request.body === null;
  element("body").textContent = request.body === null ? "" : JSON.stringify(request.body, null, 2);
  element("fault").hidden = true;
}

async function keyFor(scope) {
  const known = keys.get(scope);
  if (known && known.until > Date.now()) return known.key;
  const answer = await fetch("/console/test-key", {
    method: "POST", redirect: "error",
    headers: { "X-CSRF-Token": builder.dataset.csrf }, body: new URLSearchParams({ scope }),
  });
  if (!answer.ok) throw new Error(`No key for the test: ${answer.status}. Sign in again.`);
  const made = await answer.json();
  keys.set(scope, { key: made.key, until: Date.now() + (made.lasts_seconds - 15) * 1000 });
  return made.key;
}

function pretty(text) {
  try { return JSON.stringify(JSON.parse(text), null, 2); } catch { return text; }
}

function complain(text) {
  element("fault").textContent = text;
  element("fault").hidden = false;
}

async function test() {
  const request = described();
  element("answer-part").hidden = true;
  element("fault").hidden = true;
  if (request.fault) { complain(request.fault); return; }
  element("test").disabled = true;
  try {
    const headers = { Authorization: `Bearer ${await keyFor(request.scope)}`, Accept: "application/json" };
    if (request.body !== null) headers["Content-Type"] = "application/json";
    const began = performance.now();
    const answer = await fetch(request.url, {
      method: request.method, headers, credentials: "omit", redirect: "error", cache: "no-store",
      body: request.body === null ? undefined : JSON.stringify(request.body),
    });
    const text = await answer.text();
    element("status").textContent = `${answer.status} ${answer.statusText}`.trim();
    element("took").textContent = `in ${Math.round(performance.now() - began)} ms`;
    element("answer").textContent = pretty(text);
    element("answer-part").hidden = false;
    if (answer.status === 401 && text.includes("ip_not_allowed")) complain("Your address is not allowed yet: use Add IP above.");
  } catch (error) {
    complain(error.message || String(error));
  } finally {
    element("test").disabled = false;
  }
}

async function copy(button) {
  const field = element(button.dataset.copy);
  field.select();
  try { await navigator.clipboard.writeText(field.value); } catch { document.execCommand("copy"); }
  button.textContent = "Copied";
  setTimeout(() => { button.textContent = "Copy"; }, 1500);
}

for (const button of document.querySelectorAll("[data-copy]")) button.addEventListener("click", () => copy(button));
form.addEventListener("input", show);
form.addEventListener("change", show);
form.addEventListener("submit", (event) => event.preventDefault());
element("test").addEventListener("click", test);
show();
