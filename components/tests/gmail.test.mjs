import assert from "node:assert/strict";
import { test } from "node:test";
import { TOKEN, world } from "./world.mjs";

const gmail = world("gmail");
const INSERT = "https://gmail.googleapis.com/gmail/v1/users/me/messages";

function arrive(subject, labelIds = ["INBOX"]) {
  const head = ["From: Bob <bob@example.com>", "To: ada@example.com", `Subject: ${subject}`];
  const text = [...head, "", "Hi"].join("\r\n");
  return gmail.happen("POST", INSERT, { raw: Buffer.from(text).toString("base64url"), labelIds });
}

test("a mail is sent, with anything in its names and its subject", async (t) => {
  const it = await gmail.component(t, "actions/send-email");
  const subject = "Grüße aus der Werkstatt, heute besonders lang, damit umbrochen wird 🚀";
  const body = "Größe: 42\n".repeat(20);
  const { ret, summary, error } = await it.run({
    to: ["Jörg <joerg@example.com>", "Ann, the first <ann@example.com>"],
    cc: ["c@example.com"],
    subject,
    body,
    inReplyTo: "<m1@example.com>",
    threadId: "18aaaaaaaaaaaa01",
  });
  assert.equal(error, undefined);
  assert.equal(ret.threadId, "18aaaaaaaaaaaa01");
  assert.match(summary, /^Sent "Grüße/);
  const [call] = await gmail.calls();
  assert.equal(call.credential, TOKEN);
  assert.equal(call.path, "/gmail/v1/users/me/messages/send");
  const [head, text] = Buffer.from(call.body.raw, "base64url").toString().split("\r\n\r\n");
  assert.ok(head.split("\r\n").every((line) => /^[\x20-\x7e]{1,78}$/.test(line)), head);
  const joerg = Buffer.from("Jörg").toString("base64");
  const first = `To: =?UTF-8?B?${joerg}?= <joerg@example.com>,\r\n`;
  assert.ok(head.startsWith(`${first} "Ann, the first" <ann@example.com>\r\n`), head);
  const words = [...head.matchAll(/Subject: ([\s\S]*?)\r\n(?! )/g)][0][1].split("\r\n ");
  const decoded = words.map((it) => Buffer.from(/\?B\?(.*)\?=/.exec(it)[1], "base64").toString());
  assert.equal(decoded.join(""), subject);
  assert.equal(Buffer.from(text, "base64").toString(), body);
});

test("nobody slips a header in", async (t) => {
  const it = await gmail.component(t, "actions/send-email");
  const good = { to: ["a@example.com"], subject: "x", body: "y" };
  const mistakes = [
    { to: ["a@example.com\r\nBcc: evil@example.com"] },
    { to: ["A\r\nBcc: evil@example.com <a@example.com>"] },
    { to: ["nobody"] },
    { to: [] },
    { subject: "x\r\nBcc: evil@example.com" },
  ];
  for (const mistake of mistakes) {
    const { error } = await it.run({ ...good, ...mistake });
    assert.equal(error?.configuration, true, JSON.stringify(mistake));
  }
  assert.deepEqual(await gmail.calls(), []);
});

test("mails are found over all pages", async (t) => {
  await gmail.pages(1);
  const it = await gmail.component(t, "actions/find-email");
  assert.equal((await it.run()).summary, "Found 2 mails");
  const { ret } = await it.run({ q: "from:grace", labels: ["INBOX"] });
  assert.equal(ret.length, 1);
  assert.equal(ret[0].subject, "Your invoice");
  assert.equal(ret[0].text, "Could you send it again?");
  assert.deepEqual((await it.run({ labels: ["INBOX", "Label_1"] })).ret.map((m) => m.subject), [
    "Release",
  ]);
  assert.deepEqual(await it.allOptions("labels"), ["INBOX", "SENT", "Label_1"]);
});

test("what Gmail refuses is said in words that help", async (t) => {
  const it = await gmail.component(t, "actions/find-email");
  await gmail.fault(429, { retry_after_s: 5 });
  assert.match((await it.run()).error.message, /Try again in 5 s/);
  await gmail.fault(404);
  assert.equal((await it.run()).error.status, 404);
  await gmail.revoke();
  assert.equal((await it.run()).error.configuration, true);
});

test("new mails are told, sent ones not", async (t) => {
  const it = await gmail.component(t, "sources/new-email-received");
  const first = await it.hook("deploy");
  assert.deepEqual(first.map(({ meta }) => meta.summary), [
    "New mail: Your invoice", "New mail: Release",
  ]);
  await arrive("One");
  await arrive("Sent", ["SENT"]);
  await arrive("Two");
  const subjects = (emits) => emits.map(({ event }) => event.subject);
  assert.deepEqual(subjects(await it.look()).slice(-2), ["One", "Two"]);
  // The last second is read again, and left out by the ids.
  assert.ok(!subjects(await it.look()).includes("Release"));
});
