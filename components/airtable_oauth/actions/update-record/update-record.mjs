import airtable_oauth from "../../airtable_oauth.app.mjs";

export default {
  key: "airtable_oauth-update-record",
  name: "Update Record",
  description: "Changes fields of a record. Fields that you leave empty stay as they are. "
    + "[Airtable's documentation](https://airtable.com/developers/web/api/update-record)",
  version: "0.1.0",
  type: "action",
  annotations: { destructiveHint: true, openWorldHint: true, readOnlyHint: false },
  props: {
    airtable_oauth,
    baseId: { propDefinition: [airtable_oauth, "baseId"] },
    tableId: {
      propDefinition: [airtable_oauth, "tableId", (it) => ({ baseId: it.baseId })],
      reloadProps: true,
    },
    recordId: {
      propDefinition: [
        airtable_oauth,
        "recordId",
        (it) => ({ baseId: it.baseId, tableId: it.tableId }),
      ],
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
    const path = this.airtable_oauth.path(this.baseId, this.tableId, this.recordId);
    const data = { fields, typecast: true };
    const record = await this.airtable_oauth.request(path, { $, method: "PATCH", data });
    $.export("$summary", `Changed the record ${record.id}`);
    return record;
  },
};
