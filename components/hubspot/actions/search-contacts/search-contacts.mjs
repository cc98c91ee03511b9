import { ConfigurationError } from "@grantkeep/runtime";
import hubspot from "../../hubspot.app.mjs";

export default {
  key: "hubspot-search-contacts",
  name: "Search Contacts",
  description: "Finds contacts by words, or by the exact value of a property. "
    + "[HubSpot's documentation](https://developers.hubspot.com/docs/guides/crm/search)",
  version: "0.1.0",
  type: "action",
  annotations: { destructiveHint: false, openWorldHint: true, readOnlyHint: true },
  props: {
    hubspot,
    query: {
      type: "string",
      label: "Words",
      description: "Looked for in names, mail addresses, phone numbers and companies.",
      optional: true,
    },
    propertyName: {
      type: "string",
      label: "Property",
      description: "The internal name of the property that must have the value.",
      optional: true,
      async options({ page }) {
        return page > 0 ? [] : this.hubspot.propertyOptions();
      },
    },
    propertyValue: {
      type: "string",
      label: "Value",
      description: "What the property must be, exactly.",
      optional: true,
    },
    properties: { propDefinition: [hubspot, "properties"] },
    limit: { propDefinition: [hubspot, "limit"] },
  },
  async run({ $ }) {
    const { query, propertyName, propertyValue, properties, limit = 100 } = this;
    if (!query && !propertyName) {
      throw new ConfigurationError("Give words to look for, or a property and its value.");
    }
    if (propertyName && propertyValue === undefined) {
      throw new ConfigurationError(`Give the value that ${propertyName} must have.`);
    }
    const filters = [{ propertyName, operator: "EQ", value: propertyValue }];
    const contacts = await this.hubspot.search({
      $,
      query: query || undefined,
      filterGroups: propertyName ? [{ filters }] : undefined,
      properties,
      limit,
    });
    const count = contacts.length;
    $.export("$summary", `Found ${count} contact${count === 1 ? "" : "s"}`);
    return contacts;
  },
};
