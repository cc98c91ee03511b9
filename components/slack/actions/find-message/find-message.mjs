import slack from "../../slack.app.mjs";

const PAGE_ITEMS = 100;

export default {
  key: "slack-find-message",
  name: "Find Message",
  description: "Searches the messages that the account can read. "
    + "[Slack's documentation](https://docs.slack.dev/reference/methods/search.messages)",
  version: "0.1.0",
  type: "action",
  annotations: { destructiveHint: false, openWorldHint: true, readOnlyHint: true },
  props: {
    slack,
    query: {
      type: "string",
      label: "Query",
      description: "Words to look for. Slack's modifiers work, as in `invoice in:#support`.",
    },
    limit: { propDefinition: [slack, "limit"], default: 20 },
  },
  async run({ $ }) {
    const limit = this.limit ?? 20;
    const messages = [];
    for (let page = 1; messages.length < limit; page += 1) {
      const params = { query: this.query, page, count: Math.min(limit, PAGE_ITEMS) };
      const answer = await this.slack.call("search.messages", { $, params });
      messages.push(...answer.messages.matches);
      if (page >= answer.messages.paging.pages) break;
    }
    const found = messages.slice(0, limit);
    $.export("$summary", `Found ${found.length} message${found.length === 1 ? "" : "s"}`);
    return found;
  },
};
