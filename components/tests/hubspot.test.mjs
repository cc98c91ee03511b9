import assert from "node:assert/strict";
import { test } from "node:test";
import { TOKEN, world } from "./world.mjs";

const hubspot = world("hubspot");
const CONTACTS = "https://api.hubapi.com/crm/v3/objects/contacts";

test("a contact is created, and changed when it is there", async (t) => {
  const it = await hubspot.component(t, "actions/create-or-update-contact");
  const props = { email: "ada@example.com", firstname: "Ada" };
  const made = await it.run({ ...props, additionalProperties: { company: "Engines" } });
  assert.equal(made.error, undefined);
  assert.equal(made.summary, "Created the contact Ada");
  const changed = await it.run({ ...props, lastname: "Lovelace" });
  assert.equal(changed.summary, "Changed the contact Ada Lovelace");
  assert.equal(changed.ret.id, made.ret.id);
  const calls = await hubspot.calls();
  assert.deepEqual(calls.map(({ method, status }) => `${method} ${status}`), [
    "PATCH 404", "POST 201", "PATCH 200",
  ]);
  assert.equal(calls[0].credential, TOKEN);
  assert.equal(calls[0].query, "idProperty=email");
  assert.deepEqual(calls[1].body.properties, {
    email: "ada@example.com", firstname: "Ada", company: "Engines",
  });
  assert.match((await it.run({ email: "ada" })).error.message, /is not a mail address/);
});

test("contacts are found by words and by a property", async (t) => {
  await hubspot.pages(1);
  const it = await hubspot.component(t, "actions/search-contacts");
  const words = await it.run({ query: "example.com" });
  assert.equal(words.summary, "Found 2 contacts");
  const exact = await it.run({ propertyName: "lastname", propertyValue: "Hopper" });
  assert.deepEqual(exact.ret.map(({ id }) => id), ["501"]);
  assert.match((await it.run()).error.message, /Give words to look for/);
  const half = await it.run({ propertyName: "lastname" });
  assert.match(half.error.message, /Give the value that lastname must have/);
  const names = await it.options("propertyName");
  assert.ok(names.options.some(({ value }) => value === "email"));
});

test("what HubSpot refuses is said in words that help", async (t) => {
  const it = await hubspot.component(t, "actions/create-or-update-contact");
  const props = { email: "ada@example.com" };
  const wrong = await it.run({ ...props, additionalProperties: { shoe: 1 } });
  assert.match(wrong.error.message, /HubSpot answered 400: .*"shoe" does not exist/);
  await hubspot.fault(429, { retry_after_s: 10 });
  assert.match((await it.run(props)).error.message, /Try again in 10 s/);
  await hubspot.revoke();
  const ended = await it.run(props);
  assert.equal(ended.error.configuration, true);
  assert.match(ended.error.message, /token used to make this call expired.*Reconnect/);
});

test("new contacts are told, those of the last minute again", async (t) => {
  const it = await hubspot.component(t, "sources/new-contact");
  const first = await it.hook("deploy");
  assert.deepEqual(first.map(({ meta }) => meta.summary), [
    "New contact: Grace Hopper", "New contact: Linus Torvalds",
  ]);
  const make = (firstname) => hubspot.happen("POST", CONTACTS, { properties: { firstname } });
  await make("Alan");
  await make("Barbara");
  await hubspot.pages(1);
  const next = await it.look();
  assert.deepEqual(next.slice(-2).map(({ meta }) => meta.summary), [
    "New contact: Alan", "New contact: Barbara",
  ]);
  const again = await it.look();
  const known = new Set([...first, ...next].map(({ meta }) => meta.id));
  assert.ok(again.every(({ meta }) => known.has(meta.id)));
});
