import google_sheets from "../../google_sheets.app.mjs";

export default {
  key: "google_sheets-update-row",
  name: "Update Row",
  description: "Changes cells of a row. Columns that you leave empty stay as they are. "
    + "[Google's documentation](https://developers.google.com/workspace/sheets/api/guides/values)",
  version: "0.1.0",
  type: "action",
  annotations: { destructiveHint: true, openWorldHint: true, readOnlyHint: false },
  props: {
    google_sheets,
    sheetId: { propDefinition: [google_sheets, "sheetId"] },
    worksheetId: {
      propDefinition: [google_sheets, "worksheetId", (it) => ({ sheetId: it.sheetId })],
    },
    row: { propDefinition: [google_sheets, "row"] },
    hasHeaders: { propDefinition: [google_sheets, "hasHeaders"], reloadProps: true },
  },
  async additionalProps() {
    return this.google_sheets.columnProps(this);
  },
  async run({ $ }) {
    const { sheetId, worksheetId, row } = this;
    const cells = this.google_sheets.cells(this);
    const title = await this.google_sheets.title(sheetId, worksheetId, { $ });
    const answer = await this.google_sheets.update(sheetId, `${title}!A${row}`, cells, { $ });
    $.export("$summary", `Changed ${answer.updatedRange}`);
    return answer;
  },
};
