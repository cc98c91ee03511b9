import gmail from "../../gmail.app.mjs";

export default {
  key: "gmail-find-email",
  name: "Find Email",
  description: "Searches the mailbox, the newest mail first. "
    + "[Google's documentation](https://developers.google.com/workspace/gmail/api)",
  version: "0.1.0",
  type: "action",
  annotations: { destructiveHint: false, openWorldHint: true, readOnlyHint: true },
  props: {
    gmail,
    q: { propDefinition: [gmail, "q"] },
    labels: { propDefinition: [gmail, "labels"] },
    maxResults: {
      type: "integer",
      label: "Limit",
      description: "The most that is returned.",
      optional: true,
      min: 1,
      max: 100,
      default: 20,
    },
  },
  async run({ $ }) {
    const limit = this.maxResults ?? 20;
    const ids = await this.gmail.list({ $, q: this.q, labelIds: this.labels, limit });
    const messages = [];
    for (const id of ids) messages.push(await this.gmail.message(id, { $ }));
    const count = messages.length;
    $.export("$summary", `Found ${count} mail${count === 1 ? "" : "s"}`);
    return messages;
  },
};
