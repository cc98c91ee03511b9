import assert from "node:assert/strict";
import { test } from "node:test";
import { TOKEN, world } from "./world.mjs";

const sheets = world("google_sheets");
const API = "https://sheets.googleapis.com/v4/spreadsheets/1SimOrders/values";
const open = { sheetId: "1SimOrders", worksheetId: "0" };
const append = (row) => sheets.happen(
  "POST", `${API}/Open:append?valueInputOption=RAW`, { values: [row] },
);

test("a row is added, each column by its header", async (t) => {
  const it = await sheets.component(t, "actions/add-single-row");
  const { dynamicProps } = await it.reload({ ...open, hasHeaders: true });
  assert.deepEqual(dynamicProps.map(({ name, label }) => [name, label]), [
    ["col_0000", "Name"], ["col_0001", "Email"], ["col_0002", "Amount"],
  ]);
  await sheets.forget();
  const props = { ...open, hasHeaders: true, col_0000: "Ada", col_0002: "3" };
  const { ret, summary, error } = await it.run(props, { dynamicProps });
  assert.equal(error, undefined);
  assert.equal(summary, `Added a row at ${ret.updatedRange}`);
  assert.match(ret.updatedRange, /^Open!A4/);
  const call = (await sheets.calls()).at(-1);
  assert.equal(call.credential, TOKEN);
  const path = "/v4/spreadsheets/1SimOrders/values/'Open':append";
  assert.equal(decodeURIComponent(call.path), path);
  assert.deepEqual(call.body, { values: [["Ada", "", "3"]] });
});

test("a row is added as a list where there are no headers", async (t) => {
  const it = await sheets.component(t, "actions/add-single-row");
  const { dynamicProps } = await it.reload({ ...open, hasHeaders: false });
  assert.deepEqual(dynamicProps.map(({ name }) => name), ["myColumnData"]);
  const props = { sheetId: "1SimOrders", worksheetId: "7", hasHeaders: false };
  const { ret } = await it.run({ ...props, myColumnData: ["a", "b"] }, { dynamicProps });
  assert.match(ret.updatedRange, /^Last year's!A1/);
  const { error } = await it.run(props, { dynamicProps });
  assert.match(error.message, /Give the values of the row as a list/);
});

test("an empty row of headers and an unknown worksheet are explained", async (t) => {
  const it = await sheets.component(t, "actions/add-single-row");
  const empty = await it.reload({ sheetId: "1SimOrders", worksheetId: "7", hasHeaders: true });
  assert.match(empty.error.message, /first row of the worksheet is empty/);
  const unknown = await it.reload({ sheetId: "1SimOrders", worksheetId: "9", hasHeaders: true });
  assert.match(unknown.error.message, /no worksheet 9. It has: Open \(0\), Last year's \(7\)/);
  assert.deepEqual((await it.reload({})).dynamicProps, []);
});

test("spreadsheets and worksheets are offered", async (t) => {
  await sheets.pages(1);
  const it = await sheets.component(t, "actions/add-single-row");
  assert.deepEqual(await it.allOptions("sheetId"), ["1SimOrders", "1SimPeople"]);
  const found = await it.options("sheetId", {}, { query: "peo" });
  assert.deepEqual(found.options, [{ label: "People", value: "1SimPeople" }]);
  const inside = await it.options("worksheetId", { sheetId: "1SimOrders" });
  assert.deepEqual(inside.options.map(({ value }) => value), ["0", "7"]);
});

test("rows are read, as objects or as lists", async (t) => {
  const it = await sheets.component(t, "actions/read-rows");
  const { ret, summary } = await it.run(open);
  assert.equal(summary, "Read 2 rows");
  assert.deepEqual(ret[0], { Name: "Grace", Email: "grace@example.com", Amount: "12" });
  const lists = await it.run({ ...open, hasHeaders: false, limit: 1, firstRow: 3 });
  assert.deepEqual(lists.ret, [["Linus", "linus@example.com", "7"]]);
});

test("a row is changed where a value is given, and nowhere else", async (t) => {
  const it = await sheets.component(t, "actions/update-row");
  const { dynamicProps } = await it.reload({ ...open, row: 2, hasHeaders: true });
  const { error } = await it.run(
    { ...open, row: 2, hasHeaders: true, col_0002: "13" }, { dynamicProps },
  );
  assert.equal(error, undefined);
  const call = (await sheets.calls()).at(-1);
  assert.equal(call.method, "PUT");
  assert.deepEqual(call.body, { values: [[null, null, "13"]] });
  const read = await sheets.component(t, "actions/read-rows");
  assert.deepEqual((await read.run(open)).ret[0].Email, "grace@example.com");
});

test("rows are found by a value", async (t) => {
  const it = await sheets.component(t, "actions/find-row");
  const { ret } = await it.run({ ...open, column: "b", value: "LINUS@example.com " });
  assert.deepEqual(ret, [{ row: 3, values: ["Linus", "linus@example.com", "7"] }]);
  assert.match((await it.run({ ...open, column: "2", value: "x" })).error.message, /is no column/);
});

test("a spreadsheet is created, with headers", async (t) => {
  const it = await sheets.component(t, "actions/create-spreadsheet");
  const { ret, summary } = await it.run({ title: "Wheels", headers: ["Size", "Teeth"] });
  assert.equal(summary, "Created Wheels");
  const read = await sheets.component(t, "actions/read-rows");
  const props = { sheetId: ret.spreadsheetId, worksheetId: "0", hasHeaders: false };
  assert.deepEqual((await read.run(props)).ret, [["Size", "Teeth"]]);
});

test("what Google refuses is said in words that help", async (t) => {
  const it = await sheets.component(t, "actions/read-rows");
  const unknown = await it.run({ ...open, sheetId: "1Nothing" });
  assert.equal(unknown.error.status, 404);
  assert.match(unknown.error.message, /Google Sheets answered 404: Requested entity was not found/);
  await sheets.fault(429, { retry_after_s: 20 });
  assert.match((await it.run(open)).error.message, /Try again in 20 s/);
  await sheets.revoke();
  const ended = await it.run(open);
  assert.equal(ended.error.configuration, true);
  assert.match(ended.error.message, /Google no longer accepts this connection/);
});

test("new rows are told once, also after rows were deleted", async (t) => {
  const it = await sheets.component(t, "sources/new-row-added");
  const first = await it.hook("deploy", open);
  assert.deepEqual(first.map(({ event }) => event.row.Name), ["Grace", "Linus"]);
  assert.deepEqual(await it.look(open), []);
  await append(["Ada", "ada@example.com", "1"]);
  await append(["Alan", "alan@example.com", "2"]);
  const next = await it.look(open);
  assert.deepEqual(next.map(({ event }) => [event.rowNumber, event.row.Name]), [
    [4, "Ada"], [5, "Alan"],
  ]);
  assert.match(next[0].meta.id, /^0-4-[0-9a-f]{16}$/);
  assert.deepEqual(await it.look(open), []);
  const put = `${API}/Open!A4?valueInputOption=RAW`;
  await sheets.happen("PUT", put, { values: [["", "", ""], ["", "", ""]] });
  assert.deepEqual(await it.look(open), []);
  assert.equal(it.remembered.rows, 3);
});

test("a sheet that is still empty tells all its rows, without headers", async (t) => {
  const it = await sheets.component(t, "sources/new-row-added");
  const props = { sheetId: "1SimOrders", worksheetId: "7", hasHeaders: false };
  assert.deepEqual(await it.hook("deploy", props), []);
  const url = `${API}/${encodeURIComponent("'Last year''s'")}:append?valueInputOption=RAW`;
  await sheets.happen("POST", url, { values: [["x"], ["y"]] });
  const next = await it.look(props);
  assert.deepEqual(next.map(({ event }) => event.values), [["x"], ["y"]]);
  assert.equal(next[0].event.row, undefined);
});
