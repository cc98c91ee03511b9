import airtable_oauth from "../../airtable_oauth.app.mjs";

export default {
  key: "airtable_oauth-create-single-record",
  name: "Create Single Record",
  description: "Adds a record to a table. "
    + "[Airtable's documentation](https://airtable.com/developers/web/api/create-records)",
  version: "0.1.0",
  type: "action",
  annotations: { destructiveHint: false, openWorldHint: true, readOnlyHint: false },
  props: {
    airtable_oauth,
    baseId: { propDefinition: [airtable_oauth, "baseId"] },
    tableId: {
      propDefinition: [airtable_oauth, "tableId", (it) => ({ baseId: it.baseId })],
      reloadProps: true,
    },
    record: {
      type: "object",
      label: "Fields",
      description: "Names of fields and their values, for those that have no prop of their own.",
      optional: true,
    },
  },
  async additionalProps() {
    return this.airtable_oauth.fieldProps(this.baseId, this.tableId);
  },
  async run({ $ }) {
    const fields = await this.airtable_oauth.fieldsFrom($, this);
    const path = this.airtable_oauth.path(this.baseId, this.tableId);
    const data = { fields, typecast: true };
    const record = await this.airtable_oauth.request(path, { $, method: "POST", data });
    $.export("$summary", `Added the record ${record.id}`);
    return record;
  },
};
