import { DEFAULT_POLLING_SOURCE_TIMER_INTERVAL } from "@grantkeep/runtime";
import gmail from "../../gmail.app.mjs";

const HISTORY_ITEMS = 5;
const POLL_ITEMS_MAX = 200;

export default {
  key: "gmail-new-email-received",
  name: "New Email Received",
  description: "Emits an event for each mail that arrives.",
  version: "0.1.0",
  type: "source",
  dedupe: "unique",
  props: {
    gmail,
    db: "$.service.db",
    timer: {
      type: "$.interface.timer",
      label: "How often to look",
      description: "The time between two looks.",
      default: { intervalSeconds: DEFAULT_POLLING_SOURCE_TIMER_INTERVAL },
    },
    q: { propDefinition: [gmail, "q"] },
    labels: {
      propDefinition: [gmail, "labels"],
      description: "Only mail that has all of these labels. Empty: the inbox.",
    },
  },
  hooks: {
    async deploy() {
      await this.look(HISTORY_ITEMS);
    },
  },
  methods: {
    async look(limit, since) {
      // Gmail compares seconds, so the last second is read again.
      const after = since === undefined ? "" : `after:${Math.floor(since / 1000)}`;
      const q = [this.q, after].filter(Boolean).join(" ");
      const labelIds = this.labels?.length ? this.labels : ["INBOX"];
      const ids = await this.gmail.list({ q, labelIds, limit });
      let newest = since;
      for (const id of ids.reverse()) {
        const message = await this.gmail.message(id);
        const ts = Date.parse(message.date);
        newest = Math.max(newest ?? 0, ts);
        this.$emit(message, { id, summary: `New mail: ${message.subject ?? ""}`, ts });
      }
      if (newest !== undefined) await this.db.set("since", newest);
    },
  },
  async run() {
    const since = await this.db.get("since");
    await this.look(since === undefined ? HISTORY_ITEMS : POLL_ITEMS_MAX, since);
  },
  sampleEmit: {
    id: "18aaaaaaaaaaaa01",
    threadId: "18aaaaaaaaaaaa01",
    from: "Grace <grace@example.com>",
    to: "ada@example.com",
    subject: "Your invoice",
    date: "2025-11-20T09:00:00.000Z",
    snippet: "Could you send it again?",
    labelIds: ["INBOX"],
  },
};
