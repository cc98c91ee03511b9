import { ConfigurationError } from "@grantkeep/runtime";
import google_sheets from "../../google_sheets.app.mjs";

export default {
  key: "google_sheets-find-row",
  name: "Find Row",
  description: "Finds the rows that have a value in a column. "
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
    column: {
      type: "string",
      label: "Column",
      description: "The letter of the column to look in, such as `B`.",
    },
    value: {
      type: "string",
      label: "Value",
      description: "What the cell must hold, as it is shown, capitals aside.",
    },
  },
  async run({ $ }) {
    const { sheetId, worksheetId, value } = this;
    const column = this.column.trim().toUpperCase();
    if (!/^[A-Z]{1,3}$/.test(column)) {
      throw new ConfigurationError(`"${this.column}" is no column: give its letter, such as B.`);
    }
    const title = await this.google_sheets.title(sheetId, worksheetId, { $ });
    const range = `${title}!${column}:${column}`;
    const cells = await this.google_sheets.values(sheetId, range, { $ });
    const wanted = value.trim().toLowerCase();
    const numbers = cells
      .map(([cell], at) => (`${cell ?? ""}`.trim().toLowerCase() === wanted ? at + 1 : 0))
      .filter(Boolean);
    const found = [];
    for (const row of numbers.slice(0, 20)) {
      const [values = []] = await this.google_sheets.values(
        sheetId, `${title}!${row}:${row}`, { $ },
      );
      found.push({ row, values });
    }
    $.export("$summary", `Found ${found.length} row${found.length === 1 ? "" : "s"}`);
    return found;
  },
};
