import { DEFAULT_POLLING_SOURCE_TIMER_INTERVAL } from "@grantkeep/runtime";
import airtable_oauth from "../../airtable_oauth.app.mjs";

const HISTORY_ITEMS = 5;
const POLL_ITEMS_MAX = 10_000;
/** Airtable's clock and ours may differ, and it counts in seconds. */
const OVERLAP_MS = 60_000;

export default {
  key: "airtable_oauth-new-records",
  name: "New Records",
  description: "Emits an event for each record that is added to a table.",
  version: "0.1.0",
  type: "source",
  dedupe: "unique",
  props: {
    airtable_oauth,
    baseId: { propDefinition: [airtable_oauth, "baseId"] },
    tableId: {
      propDefinition: [airtable_oauth, "tableId", (it) => ({ baseId: it.baseId })],
    },
    db: "$.service.db",
    timer: {
      type: "$.interface.timer",
      label: "How often to look",
      description: "The time between two looks.",
      default: { intervalSeconds: DEFAULT_POLLING_SOURCE_TIMER_INTERVAL },
    },
  },
  hooks: {
    async deploy() {
      await this.begin();
    },
  },
  methods: {
    /** Emits a few records as examples. What is added from now on is new. */
    async begin() {
      const { baseId, tableId } = this;
      await this.take(await this.airtable_oauth.records(baseId, tableId, { limit: HISTORY_ITEMS }));
      await this.db.set("since", new Date().toISOString());
    },
    /** The oldest first: Airtable cannot sort by the time of creation. */
    async since(time) {
      const from = new Date(Date.parse(time) - OVERLAP_MS).toISOString();
      const records = await this.airtable_oauth.records(this.baseId, this.tableId, {
        filterByFormula: `IS_AFTER(CREATED_TIME(), '${from}')`,
        limit: POLL_ITEMS_MAX,
      });
      return records.sort((a, b) => a.createdTime.localeCompare(b.createdTime));
    },
    async take(records) {
      for (const record of records) {
        this.$emit(record, {
          id: record.id,
          summary: `New record: ${Object.values(record.fields)[0] ?? record.id}`.slice(0, 80),
          ts: Date.parse(record.createdTime),
        });
      }
      if (records.length) await this.db.set("since", records.at(-1).createdTime);
    },
  },
  async run() {
    const time = await this.db.get("since");
    if (time === undefined) return this.begin();
    return this.take(await this.since(time));
  },
  sampleEmit: {
    id: "recGrace000000001",
    createdTime: "2025-11-20T09:00:00.000Z",
    fields: { Name: "Grace", Email: "grace@example.com", Score: 9 },
  },
};
