import google_sheets from "../../google_sheets.app.mjs";

export default {
  key: "google_sheets-create-spreadsheet",
  name: "Create Spreadsheet",
  description: "Creates a spreadsheet, with a row of headers if you like. "
    + "[Google's documentation](https://developers.google.com/workspace/sheets/api/guides/create)",
  version: "0.1.0",
  type: "action",
  annotations: { destructiveHint: false, openWorldHint: true, readOnlyHint: false },
  props: {
    google_sheets,
    title: { type: "string", label: "Title", description: "The name of the spreadsheet." },
    headers: {
      type: "string[]",
      label: "Headers",
      description: "The names of the columns, written into the first row.",
      optional: true,
    },
  },
  async run({ $ }) {
    const book = await this.google_sheets.create($, { properties: { title: this.title } });
    if (this.headers?.length) {
      const title = book.sheets[0].properties.title.replaceAll("'", "''");
      const id = book.spreadsheetId;
      await this.google_sheets.update(id, `'${title}'!A1`, this.headers, { $ });
    }
    $.export("$summary", `Created ${this.title}`);
    return book;
  },
};
