import airtable_oauth from "../../airtable_oauth.app.mjs";

export default {
  key: "airtable_oauth-list-records",
  name: "List Records",
  description: "Lists the records of a table, filtered by a formula if you like. "
    + "[Airtable's documentation](https://airtable.com/developers/web/api/list-records)",
  version: "0.1.0",
  type: "action",
  annotations: { destructiveHint: false, openWorldHint: true, readOnlyHint: true },
  props: {
    airtable_oauth,
    baseId: { propDefinition: [airtable_oauth, "baseId"] },
    tableId: {
      propDefinition: [airtable_oauth, "tableId", (it) => ({ baseId: it.baseId })],
    },
    filterByFormula: {
      type: "string",
      label: "Formula",
      description: "Only records for which it is true, such as `{Status} = 'Open'`.",
      optional: true,
    },
    maxRecords: {
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
    const { baseId, tableId, filterByFormula, maxRecords = 100 } = this;
    const asked = { $, limit: maxRecords, filterByFormula: filterByFormula || undefined };
    const records = await this.airtable_oauth.records(baseId, tableId, asked);
    const count = records.length;
    $.export("$summary", `Found ${count} record${count === 1 ? "" : "s"}`);
    return records;
  },
};
