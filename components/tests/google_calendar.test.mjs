import assert from "node:assert/strict";
import { test } from "node:test";
import { TOKEN, world } from "./world.mjs";

const calendar = world("google_calendar");
const EVENTS = "https://www.googleapis.com/calendar/v3/calendars/primary/events";

test("an event is created", async (t) => {
  const it = await calendar.component(t, "actions/create-event");
  const props = {
    summary: "Tea", eventStartDate: "2026-01-31T10:00:00+01:00", eventEndDate: "2026-01-31T10:00Z",
    attendees: ["grace@example.com"],
  };
  const { error, summary } = await it.run(props);
  assert.equal(error, undefined);
  assert.equal(summary, "Created the event Tea");
  const [call] = await calendar.calls();
  assert.equal(call.credential, TOKEN);
  assert.equal(call.query, "sendUpdates=none");
  assert.deepEqual(call.body, {
    summary: "Tea",
    start: { dateTime: "2026-01-31T09:00:00.000Z" },
    end: { dateTime: "2026-01-31T10:00:00.000Z" },
    attendees: [{ email: "grace@example.com" }],
  });
});

test("whole days and time zones are understood, mixtures refused", async (t) => {
  const it = await calendar.component(t, "actions/create-event");
  const days = { summary: "Fair", eventStartDate: "2026-02-01", eventEndDate: "2026-02-03" };
  assert.deepEqual((await it.run(days)).ret.start, { date: "2026-02-01" });
  const local = { eventStartDate: "2026-02-01T09:00:00", eventEndDate: "2026-02-01T10:00:00" };
  const zoned = await it.run({ summary: "x", ...local, timeZone: "Europe/Berlin" });
  assert.deepEqual(zoned.ret.start, { dateTime: "2026-02-01T09:00:00", timeZone: "Europe/Berlin" });
  const mixed = await it.run({ ...days, eventEndDate: local.eventEndDate });
  assert.match(mixed.error.message, /days for both start and end, or times for both/);
  const wrong = await it.run({ ...days, eventStartDate: "soon" });
  assert.match(wrong.error.message, /Start: "soon" is no time/);
});

test("events are listed over all pages", async (t) => {
  await calendar.pages(1);
  const it = await calendar.component(t, "actions/list-events");
  const { ret, summary } = await it.run({ calendarId: "primary" });
  assert.equal(summary, "Found 2 events");
  assert.equal(ret[0].summary, "Look at the wheels");
  const later = await it.run({ timeMin: "2025-12-01T20:00:00+01:00" });
  assert.deepEqual(later.ret.map((event) => event.summary), ["Tea with Grace"]);
  assert.deepEqual(await it.allOptions("calendarId"), [
    "ada@example.com", "team@group.calendar.google.com", "holidays@group.v.calendar.google.com",
  ]);
});

test("what Google refuses is said in words that help", async (t) => {
  const it = await calendar.component(t, "actions/list-events");
  assert.equal((await it.run({ calendarId: "nothing" })).error.status, 404);
  await calendar.fault(429, { retry_after_s: 5 });
  assert.match((await it.run()).error.message, /Google Calendar takes no more.*in 5 s/);
  await calendar.revoke();
  assert.equal((await it.run()).error.configuration, true);
});

test("new events are told, changed ones not", async (t) => {
  const it = await calendar.component(t, "sources/new-event");
  const first = await it.hook("deploy");
  assert.deepEqual(first.map(({ meta }) => meta.id), ["seedevent000001", "seedevent000002"]);
  assert.deepEqual(await it.look(), []);
  const start = { dateTime: "2026-03-01T09:00:00Z" };
  await calendar.happen("POST", EVENTS, { summary: "Fair", start, end: start });
  const next = await it.look();
  assert.deepEqual(next.map(({ meta }) => meta.summary), ["New event: Fair"]);
});
