import { createHash } from "node:crypto";
import { DEFAULT_POLLING_SOURCE_TIMER_INTERVAL } from "@grantkeep/runtime";
import google_sheets from "../../google_sheets.app.mjs";

const HISTORY_ITEMS = 5;

export default {
  key: "google_sheets-new-row-added",
  name: "New Row Added",
  description: "Emits an event for each row that is added at the end of a worksheet.",
  version: "0.1.0",
  type: "source",
  dedupe: "unique",
  props: {
    google_sheets,
    db: "$.service.db",
    timer: {
      type: "$.interface.timer",
      label: "How often to look",
      description: "The time between two looks.",
      default: { intervalSeconds: DEFAULT_POLLING_SOURCE_TIMER_INTERVAL },
    },
    sheetId: { propDefinition: [google_sheets, "sheetId"] },
    worksheetId: {
      propDefinition: [google_sheets, "worksheetId", (it) => ({ sheetId: it.sheetId })],
    },
    hasHeaders: {
      propDefinition: [google_sheets, "hasHeaders"],
      description: "Whether the first row names the columns. Events then name the values.",
      default: true,
    },
  },
  hooks: {
    async deploy() {
      const title = await this.google_sheets.title(this.sheetId, this.worksheetId);
      await this.begin(title);
    },
  },
  methods: {
    /** Emits the last few rows, and takes those above for seen. */
    async begin(title) {
      const rows = await this.google_sheets.values(this.sheetId, title);
      const first = Math.max(rows.length - HISTORY_ITEMS, this.hasHeaders === false ? 0 : 1);
      await this.take(title, rows.slice(first), first);
      await this.db.set("rows", rows.length);
    },
    async take(title, rows, above) {
      if (!rows.length) return;
      let headers = [];
      if (this.hasHeaders !== false) {
        [headers = []] = await this.google_sheets.values(this.sheetId, `${title}!1:1`);
      }
      rows.forEach((values, at) => {
        const rowNumber = above + at + 1;
        const named = headers.length ? this.google_sheets.named(headers, values) : undefined;
        // A number comes again when rows were deleted: the values tell such rows apart.
        const digest = createHash("sha256").update(JSON.stringify(values)).digest("hex");
        this.$emit({ rowNumber, values, row: named, worksheetId: this.worksheetId }, {
          id: `${this.worksheetId}-${rowNumber}-${digest.slice(0, 16)}`,
          summary: `New row ${rowNumber}: ${values.join(", ").slice(0, 80)}`,
          ts: Date.now(),
        });
      });
    },
  },
  async run() {
    const title = await this.google_sheets.title(this.sheetId, this.worksheetId);
    const seen = await this.db.get("rows");
    if (seen === undefined) return this.begin(title);
    // Read from the last known row on: when it is gone, rows were deleted.
    const from = Math.max(seen, 1);
    const range = `${title}!A${from}:ZZZ`;
    const rows = await this.google_sheets.values(this.sheetId, range);
    if (seen > 0 && !rows.length) {
      const all = await this.google_sheets.values(this.sheetId, title);
      await this.db.set("rows", all.length);
      return undefined;
    }
    const headed = seen === 0 && this.hasHeaders !== false;
    const above = headed ? 1 : seen;
    const fresh = seen === 0 ? rows.slice(above) : rows.slice(1);
    await this.take(title, fresh, above);
    await this.db.set("rows", from + rows.length - 1);
    return undefined;
  },
  sampleEmit: {
    rowNumber: 2,
    values: ["Grace", "grace@example.com", "12"],
    row: { Name: "Grace", Email: "grace@example.com", Amount: "12" },
    worksheetId: "0",
  },
};
