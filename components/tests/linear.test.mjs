import assert from "node:assert/strict";
import { test } from "node:test";
import { TOKEN, world } from "./world.mjs";

const linear = world("linear");

test("an issue is created", async (t) => {
  const it = await linear.component(t, "actions/create-issue");
  const props = { teamId: "team-engine", title: "Oil", assigneeId: "user-grace", priority: 2 };
  const { ret, summary, error } = await it.run(props);
  assert.equal(error, undefined);
  assert.equal(summary, `Created ${ret.identifier}: Oil`);
  const [call] = await linear.calls();
  assert.equal(call.headers.authorization, `Bearer ${TOKEN}`);
  assert.match(call.body.query, /issueCreate\(input: \$input\)/);
  assert.deepEqual(call.body.variables, { input: props });
  assert.match((await it.run({ ...props, title: " " })).error.message, /Give the issue a title/);
});

test("issues are searched over all pages", async (t) => {
  await linear.pages(1);
  const it = await linear.component(t, "actions/search-issues");
  const { ret, summary } = await it.run({ query: "s" });
  assert.equal(summary, "Found 2 issues");
  assert.deepEqual(ret.map(({ identifier }) => identifier), ["PRT-2", "ENG-1"]);
});

test("teams and people are offered", async (t) => {
  await linear.pages(1);
  const it = await linear.component(t, "actions/create-issue");
  assert.deepEqual(await it.allOptions("teamId"), ["team-engine", "team-print"]);
  assert.deepEqual(await it.allOptions("assigneeId"), ["user-ada", "user-grace"]);
  assert.deepEqual(await it.allOptions("projectId"), ["project-wheels"]);
});

test("what Linear refuses is said in words that help", async (t) => {
  const it = await linear.component(t, "actions/create-issue");
  const props = { teamId: "team-nothing", title: "x" };
  const unknown = await it.run(props);
  assert.match(unknown.error.message, /Linear refused: .*Could not find referenced Team/);
  await linear.fault(429, { retry_after_s: 60 });
  const limited = await it.run(props);
  assert.equal(limited.error.status, 429);
  assert.match(limited.error.message, /Try again in 60 s/);
  await linear.revoke();
  const ended = await it.run(props);
  assert.equal(ended.error.configuration, true);
  assert.match(ended.error.message, /not authenticated.*Reconnect/);
});

test("new issues are told, of one team when asked", async (t) => {
  const it = await linear.component(t, "sources/issue-created");
  const props = { teamId: "team-engine" };
  const first = await it.hook("deploy", props);
  assert.equal(first.length, 1);
  assert.equal(first[0].meta.summary, "New issue ENG-1: The third wheel sticks");
  const query = "mutation($input: IssueCreateInput!) { issueCreate(input: $input) { success } }";
  const make = (teamId, title) => linear.happen("POST", "https://api.linear.app/graphql", {
    query, variables: { input: { teamId, title } },
  });
  await make("team-print", "Elsewhere");
  await make("team-engine", "Oil");
  const next = await it.look(props);
  assert.ok(!next.some(({ event }) => event.title === "Elsewhere"));
  assert.match(next.at(-1).meta.summary, /^New issue ENG-\d+: Oil$/);
  const all = await linear.component(t, "sources/issue-created");
  assert.equal((await all.hook("deploy")).length, 4);
});
