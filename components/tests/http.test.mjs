import assert from "node:assert/strict";
import { test } from "node:test";
import { TOKEN, world } from "./world.mjs";

const http = world("http");
const URL = "https://echo.example.com/some/where";
const account = { account: { $auth: { oauth_access_token: TOKEN }, app: "github" } };
const dynamicProps = [{ name: "account", type: "app", app: "github" }];

test("a request goes without an account", async (t) => {
  const it = await http.component(t, "actions/request");
  const { ret, summary, error } = await it.run({
    method: "POST",
    url: `${URL}?a=1`,
    params: { b: 2 },
    headers: { "x-own": "yes" },
    body: { c: 3 },
  });
  assert.equal(error, undefined);
  assert.equal(summary, "POST echo.example.com answered 200");
  assert.equal(ret.status, 200);
  assert.deepEqual(ret.body.body, { c: 3 });
  const [call] = await http.calls();
  assert.equal(call.credential, null);
  assert.equal(call.headers["x-own"], "yes");
  assert.deepEqual([...new URLSearchParams(call.query)], [["a", "1"], ["b", "2"]]);
});

test("an account of any app signs it", async (t) => {
  const it = await http.component(t, "actions/request");
  assert.deepEqual((await it.reload({})).dynamicProps, []);
  const asked = await it.reload({ appSlug: "github" });
  assert.equal(asked.dynamicProps[0].app, "github");
  const props = { appSlug: "github", url: URL, ...account };
  assert.equal((await it.run(props, { dynamicProps })).error, undefined);
  const own = { ...props, headers: { Authorization: "token {{oauth_access_token}}" } };
  assert.equal((await it.run(own, { dynamicProps })).error, undefined);
  const calls = await http.calls();
  assert.equal(calls[0].headers.authorization, `Bearer ${TOKEN}`);
  assert.equal(calls[1].headers.authorization, `token ${TOKEN}`);
});

test("an error of the other side fails the run, unless it may not", async (t) => {
  const it = await http.component(t, "actions/request");
  const url = "https://echo.example.com/status/404";
  const { error } = await it.run({ url });
  assert.equal(error.status, 404);
  assert.match(error.message, /^echo\.example\.com answered 404: /);
  assert.equal((await it.run({ url, failOnError: false })).ret.status, 404);
});

test("mistakes are said before anything is sent", async (t) => {
  const it = await http.component(t, "actions/request");
  const mistakes = [
    [{ url: "echo.example.com" }, /not a full address/],
    [{ url: "file:///etc/passwd" }, /begins with file:/],
    [{ url: URL, headers: { a: "{{api_key}}" } }, /has no field "api_key".*It has: none/],
  ];
  for (const [props, text] of mistakes) {
    const { error } = await it.run(props);
    assert.equal(error?.configuration, true, JSON.stringify(props));
    assert.match(error.message, text);
  }
  assert.deepEqual(await http.calls(), []);
  assert.match((await it.reload({ appSlug: "Git Hub" })).error.message, /not the slug of an app/);
});
