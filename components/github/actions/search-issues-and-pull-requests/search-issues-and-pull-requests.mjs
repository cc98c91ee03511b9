import github from "../../github.app.mjs";

const PAGE_ITEMS = 100;

export default {
  key: "github-search-issues-and-pull-requests",
  name: "Search Issues and Pull Requests",
  description: "Searches all repositories that the account can see. "
    + "[GitHub's documentation](https://docs.github.com/en/search-github)",
  version: "0.1.0",
  type: "action",
  annotations: { destructiveHint: false, openWorldHint: true, readOnlyHint: true },
  props: {
    github,
    query: {
      type: "string",
      label: "Query",
      description: "Words and qualifiers, such as `repo:octocat/hello-world is:open wheel`.",
    },
    limit: { propDefinition: [github, "limit"], default: 30 },
  },
  async run({ $ }) {
    const limit = this.limit ?? 30;
    const found = [];
    for (let page = 1; found.length < limit; page += 1) {
      const params = { q: this.query, page, per_page: Math.min(limit, PAGE_ITEMS) };
      const answer = await this.github.request("/search/issues", { $, params });
      found.push(...answer.items);
      if (!answer.items.length || found.length >= answer.total_count) break;
    }
    const items = found.slice(0, limit);
    $.export("$summary", `Found ${items.length} result${items.length === 1 ? "" : "s"}`);
    return items;
  },
};
