import linear from "../../linear.app.mjs";

export default {
  key: "linear-search-issues",
  name: "Search Issues",
  description: "Finds issues by words in title and description. "
    + "[Linear's documentation](https://linear.app/developers/graphql)",
  version: "0.1.0",
  type: "action",
  annotations: { destructiveHint: false, openWorldHint: true, readOnlyHint: true },
  props: {
    linear,
    query: { type: "string", label: "Words", description: "What to look for." },
    limit: {
      type: "integer",
      label: "Limit",
      description: "The most that is returned.",
      optional: true,
      min: 1,
      max: 250,
      default: 50,
    },
  },
  async run({ $ }) {
    const issues = await this.linear.searchIssues($, this.query, this.limit ?? 50);
    $.export("$summary", `Found ${issues.length} issue${issues.length === 1 ? "" : "s"}`);
    return issues;
  },
};
