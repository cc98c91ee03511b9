import google_sheets from "../../google_sheets.app.mjs";

export default {
  key: "google_sheets-add-single-row",
  name: "Add Single Row",
  description: "Adds a row below the last one of a worksheet. "
    + "[Google's documentation](https://developers.google.com/workspace/sheets/api/guides/values)",
  version: "0.1.0",
  type: "action",
  annotations: { destructiveHint: false, openWorldHint: true, readOnlyHint: false },
  props: {
    google_sheets,
    sheetId: { propDefinition: [google_sheets, "sheetId"] },
    worksheetId: {
      propDefinition: [google_sheets, "worksheetId", (it) => ({ sheetId: it.sheetId })],
    },
    hasHeaders: { propDefinition: [google_sheets, "hasHeaders"], reloadProps: true },
  },
  async additionalProps() {
    return this.google_sheets.columnProps(this);
  },
  async run({ $ }) {
    const { sheetId, worksheetId } = this;
    const row = this.google_sheets.cells(this).map((it) => it ?? "");
    const title = await this.google_sheets.title(sheetId, worksheetId, { $ });
    const { updates } = await this.google_sheets.append(sheetId, title, row, { $ });
    $.export("$summary", `Added a row at ${updates.updatedRange}`);
    return updates;
  },
};
