import assert from "node:assert/strict";
import { test } from "node:test";
import { TOKEN, world } from "./world.mjs";

const notion = world("notion");
const TASKS = "d0000000-0000-4000-8000-000000000001";
const HOME = "a0000000-0000-4000-8000-000000000003";
const tasks = { databaseId: TASKS };
const add = (name) => notion.happen("POST", "https://api.notion.com/v1/pages", {
  parent: { database_id: TASKS },
  properties: { Name: { title: [{ text: { content: name } }] } },
});

test("a page is created, each property by its own prop", async (t) => {
  const it = await notion.component(t, "actions/create-page");
  const { dynamicProps } = await it.reload(tasks);
  assert.deepEqual(dynamicProps.map(({ name, type }) => [name, type]).sort(), [
    ["prop_Name", "string"], ["prop_Points", "string"], ["prop_Status", "string"],
    ["prop_Urgent", "boolean"],
  ]);
  const status = dynamicProps.find(({ name }) => name === "prop_Status");
  assert.deepEqual(status.options, ["Todo", "Done"]);
  const props = {
    ...tasks, prop_Name: "Polish", prop_Points: "2.5", prop_Status: "Todo", prop_Urgent: true,
    content: "One.\n\nTwo.",
  };
  const { error, summary } = await it.run(props, { dynamicProps });
  assert.equal(error, undefined);
  assert.equal(summary, "Created the page Polish");
  const call = (await notion.calls()).at(-1);
  assert.equal(call.credential, TOKEN);
  assert.deepEqual(call.body.properties, {
    Name: { title: [{ type: "text", text: { content: "Polish" } }] },
    Status: { select: { name: "Todo" } },
    Points: { number: 2.5 },
    Urgent: { checkbox: true },
  });
  assert.equal(call.body.children.length, 2);
  const wrong = await it.run({ ...props, prop_Points: "many" }, { dynamicProps });
  assert.equal(wrong.error.message, '"many" is no number, which Points wants.');
});

test("a database is queried over all pages", async (t) => {
  await notion.pages(1);
  const it = await notion.component(t, "actions/query-database");
  assert.equal((await it.run(tasks)).summary, "Found 2 pages");
  const filter = { property: "Status", select: { equals: "Done" } };
  const done = await it.run({ ...tasks, filter });
  assert.deepEqual(done.ret.map(({ id }) => id), ["a0000000-0000-4000-8000-000000000002"]);
  const wrong = await it.run({ ...tasks, filter: { property: "Nope", select: { equals: 1 } } });
  assert.match(wrong.error.message, /Notion answered 400: Could not find property/);
  assert.match((await it.run({ ...tasks, sorts: "[" })).error.message, /Sorts must be JSON/);
});

test("a page is retrieved, with its blocks", async (t) => {
  const it = await notion.component(t, "actions/retrieve-page");
  const { ret, summary } = await it.run({ pageId: HOME, includeBlocks: true });
  assert.equal(summary, "Found the page Home");
  assert.equal(ret.blocks[0].type, "paragraph");
});

test("text is written at the end of a page", async (t) => {
  const it = await notion.component(t, "actions/append-block");
  const props = { pageId: HOME, content: "Buy oil\n\nBuy wheels", blockType: "to_do" };
  const { summary, error } = await it.run(props);
  assert.equal(error, undefined);
  assert.equal(summary, "Added 2 blocks");
  const [call] = await notion.calls();
  assert.equal(call.method, "PATCH");
  assert.equal(call.body.children[1].to_do.rich_text[0].text.content, "Buy wheels");
  assert.match((await it.run({ ...props, content: " " })).error.message, /nothing to write/);
});

test("databases and pages are offered", async (t) => {
  await notion.pages(1);
  const it = await notion.component(t, "actions/create-page");
  assert.deepEqual(await it.allOptions("databaseId"), [TASKS, TASKS.replace(/1$/, "2")]);
  const found = await it.options("databaseId", {}, { query: "boo" });
  assert.deepEqual(found.options.map(({ label }) => label), ["Books"]);
});

test("what Notion refuses is said in words that help", async (t) => {
  const it = await notion.component(t, "actions/retrieve-page");
  const unknown = await it.run({ pageId: "nothing" });
  assert.equal(unknown.error.status, 404);
  assert.match(unknown.error.message, /shared with your integration/);
  await notion.fault(429, { retry_after_s: 3 });
  assert.match((await it.run({ pageId: HOME })).error.message, /Try again in 3 s/);
  await notion.revoke();
  const ended = await it.run({ pageId: HOME });
  assert.equal(ended.error.configuration, true);
  assert.match(ended.error.message, /API token is invalid.*Reconnect the account/);
});

test("new pages of a database are told once", async (t) => {
  const it = await notion.component(t, "sources/new-page-in-database");
  const first = await it.hook("deploy", tasks);
  assert.deepEqual(first.map(({ meta }) => meta.summary), [
    "New page: Oil the wheels", "New page: Write the notes",
  ]);
  await add("Third");
  await add("Fourth");
  await notion.pages(1);
  const next = await it.look(tasks);
  assert.deepEqual(next.slice(-2).map(({ meta }) => meta.summary), [
    "New page: Third", "New page: Fourth",
  ]);
  // What is of the same minute is told again, and left out by its id.
  const again = await it.look(tasks);
  const known = new Set([...first, ...next].map(({ meta }) => meta.id));
  assert.ok(again.every(({ meta }) => known.has(meta.id)));
});
