import { DEFAULT_POLLING_SOURCE_TIMER_INTERVAL } from "@grantkeep/runtime";
import google_calendar from "../../google_calendar.app.mjs";

const HISTORY_ITEMS = 5;
const POLL_ITEMS_MAX = 1000;
/** Google refuses to look further back for what was changed. */
const BACK_MS_MAX = 20 * 24 * 60 * 60 * 1000;

export default {
  key: "google_calendar-new-event",
  name: "New Event",
  description: "Emits an event for each event that is created in a calendar.",
  version: "0.1.0",
  type: "source",
  dedupe: "unique",
  props: {
    google_calendar,
    db: "$.service.db",
    timer: {
      type: "$.interface.timer",
      label: "How often to look",
      description: "The time between two looks.",
      default: { intervalSeconds: DEFAULT_POLLING_SOURCE_TIMER_INTERVAL },
    },
    calendarId: { propDefinition: [google_calendar, "calendarId"] },
  },
  hooks: {
    async deploy() {
      await this.begin();
    },
  },
  methods: {
    /** Emits a few of the events to come, or past ones where none are. */
    async begin() {
      const asked = { singleEvents: true, orderBy: "startTime", limit: HISTORY_ITEMS };
      const timeMin = new Date().toISOString();
      const coming = await this.google_calendar.events(this.calendarId, { ...asked, timeMin });
      const events = coming.length
        ? coming
        : await this.google_calendar.events(this.calendarId, asked);
      events.forEach((event) => this.tell(event));
      await this.db.set("since", timeMin);
    },
    tell(event) {
      this.$emit(event, {
        id: event.id,
        summary: `New event: ${event.summary ?? "without a title"}`,
        ts: Date.parse(event.created),
      });
    },
  },
  async run() {
    const since = await this.db.get("since");
    if (since === undefined) {
      await this.begin();
      return;
    }
    const from = Math.max(Date.parse(since), Date.now() - BACK_MS_MAX);
    const changed = await this.google_calendar.events(this.calendarId, {
      updatedMin: new Date(from).toISOString(),
      orderBy: "updated",
      limit: POLL_ITEMS_MAX,
    });
    for (const event of changed) {
      if (event.status !== "cancelled" && event.created >= since) this.tell(event);
    }
    if (changed.length) await this.db.set("since", changed.at(-1).updated);
  },
  sampleEmit: {
    kind: "calendar#event",
    id: "seedevent000001",
    status: "confirmed",
    summary: "Look at the wheels",
    start: { dateTime: "2025-12-01T09:00:00Z" },
    end: { dateTime: "2025-12-01T10:00:00Z" },
    created: "2025-11-20T09:00:00.000Z",
    updated: "2025-11-20T09:00:00.000Z",
  },
};
