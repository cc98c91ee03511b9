import assert from "node:assert/strict";
import { test } from "node:test";
import { TOKEN, world } from "./world.mjs";

const slack = world("slack");

test("a message is sent, in a thread too", async (t) => {
  const it = await slack.component(t, "actions/send-message");
  const props = { channel: { __lv: { label: "#support", value: "C0SUPPORT" } }, text: "Hällo" };
  const sent = await it.run({ ...props, thread_ts: "1763636400.000300", unfurl_links: false });
  assert.equal(sent.error, undefined);
  assert.equal(sent.summary, "Sent a message to C0SUPPORT");
  assert.equal(sent.ret.message.text, "Hällo");
  const [call] = await slack.calls();
  assert.equal(`${call.method} ${call.path}`, "POST /api/chat.postMessage");
  assert.equal(call.credential, TOKEN);
  assert.deepEqual(call.body, {
    channel: "C0SUPPORT", text: "Hällo", thread_ts: "1763636400.000300", unfurl_links: false,
  });
});

test("blocks are read from JSON, and refused when they are none", async (t) => {
  const it = await slack.component(t, "actions/send-message");
  const blocks = [{ type: "divider" }];
  const props = { channel: "C0GENERAL", text: "x" };
  await it.run({ ...props, blocks: JSON.stringify(blocks) });
  assert.deepEqual((await slack.calls())[0].body.blocks, blocks);
  const { error } = await it.run({ ...props, blocks: "{" });
  assert.equal(error.configuration, true);
  assert.match(error.message, /Blocks must be JSON/);
});

test("what Slack refuses is said in words that help", async (t) => {
  const it = await slack.component(t, "actions/send-message");
  const props = { channel: "C0NOWHERE", text: "x" };
  const unknown = await it.run(props);
  assert.equal(unknown.error.message,
    "Slack refused: channel_not_found. Choose a channel that this account can see.");
  await slack.fault(429, { retry_after_s: 7 });
  const limited = await it.run(props);
  assert.equal(limited.error.message, "Slack takes no more calls for now. Try again in 7 s.");
  assert.equal(limited.error.status, 429);
  await slack.fault(503);
  assert.match((await it.run(props)).error.message, /Slack answered 503: internal_error/);
  await slack.revoke();
  const ended = await it.run(props);
  assert.equal(ended.error.configuration, true);
  assert.match(ended.error.message, /token_revoked.*Reconnect the account/);
});

test("a stand-in for a token is worth nothing", async (t) => {
  const blind = { oauth_access_token: `gkblind_${"0".repeat(32)}` };
  const it = await slack.component(t, "actions/list-channels", blind);
  assert.match((await it.run()).error.message, /invalid_auth/);
});

test("channels are listed over all pages", async (t) => {
  await slack.pages(1);
  const it = await slack.component(t, "actions/list-channels");
  const names = ({ ret }) => ret.channels.map((channel) => channel.name);
  assert.deepEqual(names(await it.run()), ["general", "support", "random"]);
  const all = await it.run({ includePrivate: true, includeArchived: true });
  assert.deepEqual(names(all), ["general", "support", "random", "old-news", "board"]);
  const two = await it.run({ limit: 2 });
  assert.deepEqual(names(two), ["general", "support"]);
  assert.equal(two.summary, "Found 2 channels");
});

test("channels are offered page by page, and by what is typed", async (t) => {
  await slack.pages(2);
  const it = await slack.component(t, "actions/send-message");
  const prop = it.wire.props.find(({ name }) => name === "channel");
  assert.equal(prop.remoteOptions, true);
  assert.equal(prop.useQuery, true);
  const all = ["C0GENERAL", "C0SUPPORT", "C0RANDOM1", "G0SECRET1"];
  assert.deepEqual(await it.allOptions("channel"), all);
  const found = await it.options("channel", {}, { query: "#sup" });
  assert.deepEqual(found.options, [{ label: "#support", value: "C0SUPPORT" }]);
});

test("messages are found", async (t) => {
  await slack.pages(1);
  const it = await slack.component(t, "actions/find-message");
  const found = await it.run({ query: "invoice" });
  assert.equal(found.summary, "Found 2 messages");
  assert.equal(found.ret[0].text, "Invoice sent");
  assert.deepEqual((await it.run({ query: "zebra" })).ret, []);
});

test("people are found by mail address, or not", async (t) => {
  const it = await slack.component(t, "actions/find-user-by-email");
  const found = await it.run({ email: "grace@example.com" });
  assert.equal(found.ret.id, "U0GRACE01");
  const nobody = await it.run({ email: "nobody@example.com" });
  assert.equal(nobody.error, undefined);
  assert.equal(nobody.ret, null);
});

test("own messages are changed, others not", async (t) => {
  const it = await slack.component(t, "actions/update-message");
  const own = { channel: "C0SUPPORT", timestamp: "1763643600.000500", text: "Sent twice" };
  assert.equal((await it.run(own)).ret.text, "Sent twice");
  const other = { ...own, timestamp: "1763636400.000300" };
  assert.match((await it.run(other)).error.message, /Only messages of the connected account/);
});

test("a file goes up in three steps, the token only to the first and last", async (t) => {
  const it = await slack.component(t, "actions/upload-file");
  const content = Buffer.from("a report").toString("base64");
  const path = `${it.host.tmp}/stash/report.txt`;
  const { ret, error, summary } = await it.run(
    { channel: "C0SUPPORT", content: path, initialComment: "Look" },
    { files: [{ path: "report.txt", base64: content }] },
  );
  assert.equal(error, undefined);
  assert.equal(ret.name, "report.txt");
  assert.equal(summary, "Uploaded report.txt");
  const calls = await slack.calls();
  assert.deepEqual(calls.map((call) => call.credential), [TOKEN, null, TOKEN]);
  assert.equal(calls[1].body, "a report");
  assert.equal(calls[2].body.initial_comment, "Look");
});

test("new messages are told once, notices only when wanted", async (t) => {
  const it = await slack.component(t, "sources/new-message-in-channels");
  assert.equal(it.wire.dedupe, "unique");
  const props = { conversations: ["C0GENERAL", "C0SUPPORT", "C0RANDOM1"] };
  const first = await it.hook("deploy", props);
  assert.deepEqual(first.map(({ event }) => event.text), [
    "Good morning all", "The release is out", "A customer asks for an invoice", "Invoice sent",
  ]);
  assert.deepEqual(await it.look(props), []);
  const post = "https://slack.com/api/chat.postMessage";
  await slack.happen("POST", post, { channel: "C0RANDOM1", text: "one" });
  await slack.happen("POST", post, { channel: "C0RANDOM1", text: "two" });
  await slack.happen("POST", post, { channel: "C0OLDNEWS", text: "elsewhere" });
  await slack.pages(1);
  const next = await it.look(props);
  assert.deepEqual(next.map(({ event }) => event.text), ["one", "two"]);
  const [{ event, meta }] = next;
  assert.equal(meta.id, `C0RANDOM1-${event.ts}`);
  assert.equal(meta.summary, "New message: one");
  assert.ok(Math.abs(meta.ts - Date.now()) < 60_000);
  assert.deepEqual(await it.look(props), []);
});
