import { ConfigurationError } from "@grantkeep/runtime";
import notion from "../../notion.app.mjs";

export default {
  key: "notion-query-database",
  name: "Query Database",
  description: "Lists the pages of a database, filtered and sorted. "
    + "[Notion's documentation](https://developers.notion.com/reference/post-database-query)",
  version: "0.1.0",
  type: "action",
  annotations: { destructiveHint: false, openWorldHint: true, readOnlyHint: true },
  props: {
    notion,
    databaseId: { propDefinition: [notion, "databaseId"] },
    filter: {
      type: "object",
      label: "Filter",
      description: "As Notion writes it: "
        + "`{\"property\": \"Status\", \"select\": {\"equals\": \"Done\"}}`.",
      optional: true,
    },
    sorts: {
      type: "any",
      label: "Sorts",
      description: "A list, as in "
        + "`[{\"timestamp\": \"created_time\", \"direction\": \"descending\"}]`.",
      optional: true,
    },
    limit: { propDefinition: [notion, "limit"] },
  },
  async run({ $ }) {
    const pages = await this.notion.query(this.databaseId, {
      $,
      filter: read("Filter", this.filter),
      sorts: read("Sorts", this.sorts),
      limit: this.limit ?? 100,
    });
    $.export("$summary", `Found ${pages.length} page${pages.length === 1 ? "" : "s"}`);
    return pages;
  },
};

function read(label, given) {
  if (typeof given !== "string") return given;
  if (!given.trim()) return undefined;
  try {
    return JSON.parse(given);
  } catch (error) {
    throw new ConfigurationError(`${label} must be JSON: ${error.message}`);
  }
}
