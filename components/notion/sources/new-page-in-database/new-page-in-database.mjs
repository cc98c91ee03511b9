import { DEFAULT_POLLING_SOURCE_TIMER_INTERVAL } from "@grantkeep/runtime";
import notion from "../../notion.app.mjs";

const HISTORY_ITEMS = 5;
const POLL_ITEMS_MAX = 500;

export default {
  key: "notion-new-page-in-database",
  name: "New Page in Database",
  description: "Emits an event for each page that is added to a database.",
  version: "0.1.0",
  type: "source",
  dedupe: "unique",
  props: {
    notion,
    db: "$.service.db",
    timer: {
      type: "$.interface.timer",
      label: "How often to look",
      description: "The time between two looks.",
      default: { intervalSeconds: DEFAULT_POLLING_SOURCE_TIMER_INTERVAL },
    },
    databaseId: { propDefinition: [notion, "databaseId"] },
  },
  hooks: {
    async deploy() {
      await this.take(await this.newest());
    },
  },
  methods: {
    /** The newest first; those created before `since` left out. */
    async newest(since) {
      return this.notion.query(this.databaseId, {
        sorts: [{ timestamp: "created_time", direction: "descending" }],
        limit: since ? POLL_ITEMS_MAX : HISTORY_ITEMS,
        // Notion rounds to minutes, so pages of the same minute are read again.
        enough: (page) => since !== undefined && page.created_time < since,
      });
    },
    async take(newestFirst) {
      for (const page of [...newestFirst].reverse()) {
        this.$emit(page, {
          id: page.id,
          summary: `New page: ${this.notion.titleOf(page)}`,
          ts: Date.parse(page.created_time),
        });
      }
      if (newestFirst.length) await this.db.set("since", newestFirst[0].created_time);
    },
  },
  async run() {
    await this.take(await this.newest(await this.db.get("since")));
  },
  sampleEmit: {
    object: "page",
    id: "a0000000-0000-4000-8000-000000000001",
    created_time: "2025-11-20T09:00:00.000Z",
    url: "https://www.notion.so/a0000000000040008000000000000001",
    properties: { Name: { type: "title", title: [{ plain_text: "Oil the wheels" }] } },
  },
};
