import google_sheets from "../../google_sheets.app.mjs";

export default {
  key: "google_sheets-read-rows",
  name: "Read Rows",
  description: "Reads the rows of a worksheet. "
    + "[Google's documentation](https://developers.google.com/workspace/sheets/api/guides/values)",
  version: "0.1.0",
  type: "action",
  annotations: { destructiveHint: false, openWorldHint: true, readOnlyHint: true },
  props: {
    google_sheets,
    sheetId: { propDefinition: [google_sheets, "sheetId"] },
    worksheetId: {
      propDefinition: [google_sheets, "worksheetId", (it) => ({ sheetId: it.sheetId })],
    },
    hasHeaders: {
      propDefinition: [google_sheets, "hasHeaders"],
      description: "Whether the first row names the columns. Rows are then objects, else lists.",
      default: true,
    },
    firstRow: {
      propDefinition: [google_sheets, "row"],
      label: "First row",
      optional: true,
    },
    limit: {
      type: "integer",
      label: "Limit",
      description: "The most rows that are returned.",
      optional: true,
      min: 1,
      max: 10000,
      default: 100,
    },
  },
  async run({ $ }) {
    const { sheetId, worksheetId, hasHeaders = true, limit = 100 } = this;
    const first = this.firstRow ?? (hasHeaders ? 2 : 1);
    const title = await this.google_sheets.title(sheetId, worksheetId, { $ });
    const range = `${title}!A${first}:ZZZ${first + limit - 1}`;
    const rows = await this.google_sheets.values(sheetId, range, { $ });
    $.export("$summary", `Read ${rows.length} row${rows.length === 1 ? "" : "s"}`);
    if (!hasHeaders) return rows;
    const [headers = []] = await this.google_sheets.values(sheetId, `${title}!1:1`, { $ });
    return rows.map((row) => this.google_sheets.named(headers, row));
  },
};
