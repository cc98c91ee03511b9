import google_calendar from "../../google_calendar.app.mjs";

export default {
  key: "google_calendar-list-events",
  name: "List Events",
  description: "Lists the events of a calendar by their start, recurring ones one by one. "
    + "[Google's documentation](https://developers.google.com/workspace/calendar/api/guides)",
  version: "0.1.0",
  type: "action",
  annotations: { destructiveHint: false, openWorldHint: true, readOnlyHint: true },
  props: {
    google_calendar,
    calendarId: { propDefinition: [google_calendar, "calendarId"] },
    timeMin: {
      type: "string",
      label: "From",
      description: "Only events that end after this time.",
      optional: true,
    },
    timeMax: {
      type: "string",
      label: "Until",
      description: "Only events that begin before this time.",
      optional: true,
    },
    q: { type: "string", label: "Words", description: "What to look for.", optional: true },
    maxResults: {
      type: "integer",
      label: "Limit",
      description: "The most that is returned.",
      optional: true,
      min: 1,
      max: 1000,
      default: 100,
    },
  },
  async run({ $ }) {
    const events = await this.google_calendar.events(this.calendarId, {
      $,
      timeMin: this.google_calendar.time(this.timeMin, "From"),
      timeMax: this.google_calendar.time(this.timeMax, "Until"),
      q: this.q || undefined,
      singleEvents: true,
      orderBy: "startTime",
      limit: this.maxResults ?? 100,
    });
    $.export("$summary", `Found ${events.length} event${events.length === 1 ? "" : "s"}`);
    return events;
  },
};
