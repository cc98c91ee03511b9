import slack from "../../slack.app.mjs";

export default {
  key: "slack-list-channels",
  name: "List Channels",
  description: "Lists the channels of the workspace that the account can see. "
    + "[Slack's documentation](https://docs.slack.dev/reference/methods/conversations.list)",
  version: "0.1.0",
  type: "action",
  annotations: { destructiveHint: false, openWorldHint: true, readOnlyHint: true },
  props: {
    slack,
    includePrivate: {
      type: "boolean",
      label: "Private channels too",
      description: "Whether private channels that the account is in are listed.",
      optional: true,
      default: false,
    },
    includeArchived: {
      type: "boolean",
      label: "Archived channels too",
      description: "Whether channels that were put away are listed.",
      optional: true,
      default: false,
    },
    limit: { propDefinition: [slack, "limit"] },
  },
  async run({ $ }) {
    const limit = this.limit ?? 100;
    const types = this.includePrivate ? "public_channel,private_channel" : "public_channel";
    const found = [];
    let cursor;
    do {
      const excludeArchived = !this.includeArchived;
      const page = await this.slack.listChannels({ $, types, cursor, excludeArchived });
      found.push(...page.channels);
      cursor = page.cursor;
    } while (cursor && found.length < limit);
    const channels = found.slice(0, limit);
    $.export("$summary", `Found ${channels.length} channel${channels.length === 1 ? "" : "s"}`);
    return { channels };
  },
};
