import { axios, ConfigurationError } from "@grantkeep/runtime";

const PAGE_ITEMS = 250;

function explained(error) {
  const { status, headers, data } = error.response ?? {};
  if (!status) return error;
  const said = data?.error?.message ?? "no reason given";
  if (status === 401) {
    const text = `Google no longer accepts this connection (${said}). Reconnect the account.`;
    return Object.assign(new ConfigurationError(text), { status });
  }
  if (status === 429) {
    const wait = headers?.["retry-after"] ?? "60";
    const text = `Google Calendar takes no more calls for now. Try again in ${wait} s.`;
    return Object.assign(new Error(text), { status });
  }
  return Object.assign(new Error(`Google Calendar answered ${status}: ${said}`), { status });
}

export default {
  type: "app",
  app: "google_calendar",
  propDefinitions: {
    calendarId: {
      type: "string",
      label: "Calendar",
      description: "The calendar; `primary` is the account's own.",
      optional: true,
      default: "primary",
      async options({ prevContext }) {
        if (prevContext?.pageToken === null) return [];
        const params = { pageToken: prevContext?.pageToken, maxResults: PAGE_ITEMS };
        const answer = await this.request("/users/me/calendarList", { params });
        const options = answer.items.map((it) => ({
          label: it.primary ? `${it.summary} (own)` : it.summary,
          value: it.id,
        }));
        return { options, context: { pageToken: answer.nextPageToken ?? null } };
      },
    },
  },
  methods: {
    async request(path, { $ = this, ...config } = {}) {
      try {
        return await axios($, {
          url: `https://www.googleapis.com/calendar/v3${path}`,
          headers: { Authorization: `Bearer ${this.$auth.oauth_access_token}` },
          ...config,
        });
      } catch (error) {
        throw explained(error);
      }
    },
    eventsPath(calendarId) {
      return `/calendars/${encodeURIComponent(calendarId || "primary")}/events`;
    },
    /** Events, page after page up to `limit`. */
    async events(calendarId, { $, limit, ...params }) {
      const found = [];
      let pageToken;
      do {
        const maxResults = Math.min(limit - found.length, PAGE_ITEMS);
        const asked = { ...params, maxResults, pageToken };
        const answer = await this.request(this.eventsPath(calendarId), { $, params: asked });
        found.push(...answer.items);
        pageToken = answer.nextPageToken;
      } while (pageToken && found.length < limit);
      return found;
    },
    /** A time in UTC as Google wants it. */
    time(given, label) {
      if (given === undefined || given === "") return undefined;
      const ms = Date.parse(given);
      if (Number.isFinite(ms)) return new Date(ms).toISOString();
      throw new ConfigurationError(
        `${label}: "${given}" is no time. Write it as 2026-01-31T09:00:00Z.`,
      );
    },
  },
};
