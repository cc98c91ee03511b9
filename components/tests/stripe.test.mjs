import assert from "node:assert/strict";
import { test } from "node:test";
import { KEY, TOKEN, world } from "./world.mjs";

const stripe = world("stripe");
const account = { api_key: KEY };
const component = (t, place, own = account) => stripe.component(t, place, own);

test("a customer is created, as a form", async (t) => {
  const it = await component(t, "actions/create-customer");
  const { ret, summary, error } = await it.run({
    name: "Ada", email: "ada@example.com", metadata: { order: "7" },
  });
  assert.equal(error, undefined);
  assert.equal(summary, `Created the customer ${ret.id}`);
  assert.deepEqual(ret.metadata, { order: "7" });
  const [call] = await stripe.calls();
  assert.equal(call.credential, KEY);
  assert.deepEqual(call.body, { name: "Ada", email: "ada@example.com", "metadata[order]": "7" });
  assert.match(call.headers["idempotency-key"], /^[0-9a-f-]{36}$/);
  assert.match((await it.run()).error.message, /Give a name or a mail address/);
});

test("a customer is retrieved", async (t) => {
  const it = await component(t, "actions/retrieve-customer");
  const found = await it.run({ customer: "cus_grace" });
  assert.equal(found.summary, "Found the customer Grace Hopper");
  const unknown = await it.run({ customer: "cus_nobody" });
  assert.equal(unknown.error.message, "Stripe answered 404: No such customer: 'cus_nobody'");
});

test("invoices are listed over all pages", async (t) => {
  await stripe.pages(1);
  const it = await component(t, "actions/list-invoices");
  const ids = ({ ret }) => ret.map(({ id }) => id);
  assert.deepEqual(ids(await it.run()), ["in_0003", "in_0002", "in_0001"]);
  assert.deepEqual(ids(await it.run({ limit: 2 })), ["in_0003", "in_0002"]);
  assert.deepEqual(ids(await it.run({ customer: "cus_grace", status: "open" })), ["in_0002"]);
});

test("a payment link is made of a price that is offered", async (t) => {
  await stripe.pages(1);
  const it = await component(t, "actions/create-payment-link");
  assert.deepEqual(await it.allOptions("price"), ["price_oil", "price_wheel"]);
  const { ret, error } = await it.run({ price: "price_wheel", quantity: 2 });
  assert.equal(error, undefined);
  assert.match(ret.url, /^https:\/\/buy\.stripe\.com\//);
  assert.deepEqual((await stripe.calls()).at(-1).body, {
    "line_items[0][price]": "price_wheel", "line_items[0][quantity]": "2",
  });
});

test("what Stripe refuses is said in words that help", async (t) => {
  const wrong = await component(t, "actions/list-invoices", { api_key: TOKEN });
  assert.match((await wrong.run()).error.message, /does not accept this key \(Invalid API Key/);
  const it = await component(t, "actions/list-invoices");
  await stripe.fault(429, { retry_after_s: 2 });
  assert.match((await it.run()).error.message, /Try again in 2 s/);
  await stripe.revoke();
  const ended = await it.run();
  assert.equal(ended.error.configuration, true);
  assert.match(ended.error.message, /Expired API Key provided.*Reconnect/);
});

test("payments that succeed are told", async (t) => {
  const it = await component(t, "sources/new-payment");
  const first = await it.hook("deploy");
  assert.deepEqual(first.map(({ meta }) => meta.id), ["evt_0001"]);
  const form = new URLSearchParams({ amount: "500", currency: "eur" });
  await stripe.happen("POST", "https://api.stripe.com/v1/payment_intents", form, KEY);
  const next = await it.look();
  assert.equal(next.at(-1).meta.summary, "New payment: 500 eur (smallest unit)");
  assert.equal(next.at(-1).event.status, "succeeded");
});
