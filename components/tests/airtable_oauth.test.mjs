import assert from "node:assert/strict";
import { test } from "node:test";
import { TOKEN, world } from "./world.mjs";

const airtable = world("airtable_oauth");
const leads = { baseId: "appCrm00000000001", tableId: "tblLeads000000001" };

test("a record is added, each field by its own prop", async (t) => {
  const it = await airtable.component(t, "actions/create-single-record");
  const { dynamicProps } = await it.reload(leads);
  assert.deepEqual(dynamicProps.map(({ label, type }) => [label, type]), [
    ["Name", "string"], ["Email", "string"], ["Score", "string"], ["Hot", "boolean"],
  ]);
  const props = { ...leads, field_fldName0000000001: "Ada", record: { Score: 10 } };
  const { ret, summary, error } = await it.run(props, { dynamicProps });
  assert.equal(error, undefined);
  assert.equal(summary, `Added the record ${ret.id}`);
  const call = (await airtable.calls()).at(-1);
  assert.equal(call.credential, TOKEN);
  assert.deepEqual(call.body, { fields: { Name: "Ada", Score: 10 }, typecast: true });
  assert.match((await it.run(leads)).error.message, /Give a value for one field at least/);
});

test("records are listed over all pages, by a formula too", async (t) => {
  await airtable.pages(1);
  const it = await airtable.component(t, "actions/list-records");
  assert.equal((await it.run(leads)).summary, "Found 2 records");
  const grace = await it.run({ ...leads, filterByFormula: "{Name} = 'Grace'" });
  assert.deepEqual(grace.ret.map(({ id }) => id), ["recGrace000000001"]);
  const wrong = await it.run({ ...leads, filterByFormula: "((" });
  assert.match(wrong.error.message, /Airtable answered 422: The formula .* is invalid/);
});

test("a record is changed", async (t) => {
  const it = await airtable.component(t, "actions/update-record");
  const props = { ...leads, recordId: "recGrace000000001", record: { Score: 11 } };
  assert.equal((await it.run(props)).ret.fields.Score, 11);
  assert.equal((await airtable.calls()).at(-1).method, "PATCH");
  const unknown = await it.run({ ...props, recordId: "recNothing" });
  assert.equal(unknown.error.message, "Airtable answered 404: NOT_FOUND");
});

test("bases, tables and records are offered", async (t) => {
  await airtable.pages(1);
  const it = await airtable.component(t, "actions/update-record");
  assert.deepEqual(await it.allOptions("baseId"), ["appCrm00000000001", "appPlan0000000001"]);
  assert.deepEqual(await it.allOptions("tableId", leads), ["tblLeads000000001"]);
  assert.deepEqual(await it.allOptions("recordId", leads), [
    "recGrace000000001", "recLinus000000001",
  ]);
});

test("what Airtable refuses is said in words that help", async (t) => {
  const it = await airtable.component(t, "actions/list-records");
  const unknown = await it.run({ ...leads, tableId: "tblNothing" });
  assert.equal(unknown.error.status, 403);
  await airtable.fault(429, { retry_after_s: 30 });
  assert.match((await it.run(leads)).error.message, /Try again in 30 s/);
  await airtable.revoke();
  const ended = await it.run(leads);
  assert.equal(ended.error.configuration, true);
  assert.match(ended.error.message, /Authentication required.*Reconnect/);
});

test("new records are told, those of the last minute again", async (t) => {
  const it = await airtable.component(t, "sources/new-records");
  const first = await it.hook("deploy", leads);
  assert.deepEqual(first.map(({ meta }) => meta.id), ["recGrace000000001", "recLinus000000001"]);
  assert.deepEqual(await it.look(leads), []);
  const url = `https://api.airtable.com/v0/${leads.baseId}/${leads.tableId}`;
  await airtable.happen("POST", url, { fields: { Name: "Ada" } });
  const next = await it.look(leads);
  assert.deepEqual(next.map(({ meta }) => meta.summary), ["New record: Ada"]);
  assert.deepEqual((await it.look(leads)).map(({ meta }) => meta.id), [next[0].meta.id]);
});
