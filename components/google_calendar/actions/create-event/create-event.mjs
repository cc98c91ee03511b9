import { ConfigurationError } from "@grantkeep/runtime";
import google_calendar from "../../google_calendar.app.mjs";

const DAY = /^\d{4}-\d{2}-\d{2}$/;

export default {
  key: "google_calendar-create-event",
  name: "Create Event",
  description: "Puts an event into a calendar. "
    + "[Google's documentation](https://developers.google.com/workspace/calendar/api/guides)",
  version: "0.1.0",
  type: "action",
  annotations: { destructiveHint: false, openWorldHint: true, readOnlyHint: false },
  props: {
    google_calendar,
    calendarId: { propDefinition: [google_calendar, "calendarId"] },
    summary: { type: "string", label: "Title", description: "What the event is called." },
    eventStartDate: {
      type: "string",
      label: "Start",
      description: "A time such as `2026-01-31T09:00:00Z`, or a day such as `2026-01-31`.",
    },
    eventEndDate: {
      type: "string",
      label: "End",
      description: "As the start. Of events that last whole days, the day after the last.",
    },
    timeZone: {
      type: "string",
      label: "Time zone",
      description: "For times without an offset, such as `Europe/Berlin`.",
      optional: true,
    },
    description: {
      type: "string",
      label: "Description",
      description: "What people should know.",
      optional: true,
    },
    location: { type: "string", label: "Place", description: "Where it is.", optional: true },
    attendees: {
      type: "string[]",
      label: "Guests",
      description: "Their mail addresses.",
      optional: true,
    },
    sendUpdates: {
      type: "string",
      label: "Invitations",
      description: "Who gets a mail about the event.",
      options: [{ label: "All guests", value: "all" }, { label: "Nobody", value: "none" }],
      optional: true,
      default: "none",
    },
  },
  async run({ $ }) {
    const start = this.end("Start", this.eventStartDate);
    const end = this.end("End", this.eventEndDate);
    if (Boolean(start.date) !== Boolean(end.date)) {
      throw new ConfigurationError("Give days for both start and end, or times for both.");
    }
    const { summary, description, location, sendUpdates = "none" } = this;
    const attendees = this.attendees?.map((email) => ({ email }));
    const event = await this.google_calendar.request(
      this.google_calendar.eventsPath(this.calendarId),
      {
        $,
        method: "POST",
        params: { sendUpdates },
        data: { summary, description, location, start, end, attendees },
      },
    );
    $.export("$summary", `Created the event ${event.summary}`);
    return event;
  },
  methods: {
    /** One end of the event, as Google wants it. */
    end(label, given) {
      const text = `${given ?? ""}`.trim();
      if (DAY.test(text)) return { date: text };
      const time = this.google_calendar.time(text, label);
      if (!time) throw new ConfigurationError(`${label}: give a day or a time.`);
      if (!this.timeZone || /(z|[+-]\d{2}:?\d{2})$/i.test(text)) return { dateTime: time };
      return { dateTime: text, timeZone: this.timeZone };
    },
  },
};
