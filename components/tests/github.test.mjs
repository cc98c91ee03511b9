import assert from "node:assert/strict";
import { test } from "node:test";
import { TOKEN, world } from "./world.mjs";

const github = world("github");
const API = "https://api.github.com/repos/ada/engine";
const repo = { repoFullname: "ada/engine" };

test("an issue is opened", async (t) => {
  const it = await github.component(t, "actions/create-issue");
  const issue = { title: "It squeaks", body: "A lot", labels: ["bug"], assignees: ["ada"] };
  const { ret, summary, error } = await it.run({ ...repo, ...issue });
  assert.equal(error, undefined);
  assert.equal(summary, "Opened issue #5");
  assert.deepEqual(ret.labels, [{ name: "bug" }]);
  const [call] = await github.calls();
  assert.equal(`${call.method} ${call.path}`, "POST /repos/ada/engine/issues");
  assert.equal(call.credential, TOKEN);
  assert.equal(call.headers["x-github-api-version"], "2022-11-28");
  assert.deepEqual(call.body, issue);
});

test("what GitHub refuses is said in words that help", async (t) => {
  const it = await github.component(t, "actions/create-issue");
  const wrong = await it.run({ ...repo, title: "x", assignees: ["nobody"] });
  assert.equal(wrong.error.message, "GitHub answered 422: Validation Failed: assignees is invalid");
  const unknown = await it.run({ repoFullname: "ada/nothing", title: "x" });
  assert.equal(unknown.error.status, 404);
  assert.match(unknown.error.message, /Not Found \(or the account may not see it\)/);
  const crooked = await it.run({ repoFullname: "../user", title: "x" });
  assert.equal(crooked.error.configuration, true);
  assert.match(crooked.error.message, /Write owner\/name/);
  await github.fault(429, { retry_after_s: 30 });
  const limited = await it.run({ ...repo, title: "x" });
  assert.equal(limited.error.message, "GitHub takes no more calls for now. Try again in 30 s.");
  await github.revoke();
  const ended = await it.run({ ...repo, title: "x" });
  assert.equal(ended.error.configuration, true);
  assert.match(ended.error.message, /Bad credentials.*Reconnect the account/);
});

test("an issue is changed and closed", async (t) => {
  const it = await github.component(t, "actions/update-issue");
  const { ret } = await it.run({ ...repo, issueNumber: 1, state: "closed", labels: [] });
  assert.equal(ret.state, "closed");
  assert.deepEqual(ret.labels, []);
  assert.equal(ret.title, "The third wheel sticks");
  assert.deepEqual((await github.calls())[0].body, { state: "closed", labels: [] });
  const nothing = await it.run({ ...repo, issueNumber: 1 });
  assert.match(nothing.error.message, /Nothing to change/);
});

test("an issue is commented on", async (t) => {
  const it = await github.component(t, "actions/create-issue-comment");
  const { ret, summary } = await it.run({ ...repo, issueNumber: 2, body: "Done" });
  assert.equal(ret.body, "Done");
  assert.equal(summary, "Commented on #2");
  assert.equal((await it.run({ ...repo, issueNumber: 99, body: "x" })).error.status, 404);
});

test("a repository is looked up", async (t) => {
  const it = await github.component(t, "actions/get-repository");
  const { ret, summary } = await it.run(repo);
  assert.equal(ret.stargazers_count, 42);
  assert.equal(summary, "Found ada/engine");
});

test("issues are listed over all pages, pull requests only when wanted", async (t) => {
  await github.pages(1);
  const it = await github.component(t, "actions/list-issues");
  const numbers = ({ ret }) => ret.map((issue) => issue.number);
  assert.deepEqual(numbers(await it.run(repo)), [2, 1]);
  assert.deepEqual(numbers(await it.run({ ...repo, includePullRequests: true })), [3, 2, 1]);
  assert.deepEqual(numbers(await it.run({ ...repo, state: "all", labels: ["bug"] })), [4, 1]);
});

test("issues and pull requests are searched", async (t) => {
  await github.pages(1);
  const it = await github.component(t, "actions/search-issues-and-pull-requests");
  const { ret, summary } = await it.run({ query: "repo:ada/engine wheel" });
  assert.deepEqual(ret.map((issue) => issue.number), [1, 3]);
  assert.equal(summary, "Found 2 results");
});

test("repositories and what is in them are offered", async (t) => {
  await github.pages(2);
  const it = await github.component(t, "actions/create-issue");
  assert.deepEqual(await it.allOptions("repoFullname"), [
    "ada/engine", "ada/notes", "lumen/compiler",
  ]);
  assert.deepEqual(await it.allOptions("labels", repo), ["bug", "idea"]);
  assert.deepEqual(await it.allOptions("assignees", repo), ["ada", "grace"]);
  assert.deepEqual(await it.allOptions("labels"), []);
});

test("new issues are told once, pull requests and old ones that change never", async (t) => {
  const it = await github.component(t, "sources/new-issue");
  const first = await it.hook("deploy", repo);
  assert.deepEqual(first.map(({ meta }) => meta.id), [1, 2, 4]);
  await github.happen("POST", `${API}/issues`, { title: "It squeaks" });
  await github.happen("PATCH", `${API}/issues/1`, { title: "It still sticks" });
  const next = await it.look(repo);
  assert.ok(next.some(({ meta }) => meta.id === 5));
  assert.ok(!next.some(({ meta }) => meta.id === 1));
  assert.equal(next.at(-1).meta.summary, "New issue #5: It squeaks");
});

test("new commits are told once, by a branch", async (t) => {
  const it = await github.component(t, "sources/new-commit");
  const first = await it.hook("deploy", repo);
  assert.deepEqual(first.map(({ meta }) => meta.summary), [
    "New commit: Lay the first wheel", "New commit: Add a second wheel",
  ]);
  assert.deepEqual(await it.look(repo), []);
  await github.happen("PUT", `${API}/contents/a.txt`, { message: "Oil it" });
  const elsewhere = { message: "Elsewhere", branch: "wheels" };
  await github.happen("PUT", `${API}/contents/b.txt`, elsewhere);
  const next = await it.look(repo);
  assert.deepEqual(next.map(({ event }) => event.commit.message), ["Oil it"]);
  assert.deepEqual(await it.look(repo), []);
});

test("a branch that was rewritten begins anew", async (t) => {
  const it = await github.component(t, "sources/new-commit");
  it.remembered.sha = "dead";
  assert.equal((await it.look(repo)).length, 2);
});
