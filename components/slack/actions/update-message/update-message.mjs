import slack from "../../slack.app.mjs";

export default {
  key: "slack-update-message",
  name: "Update Message",
  description: "Changes the text of a message that the account has sent. "
    + "[Slack's documentation](https://docs.slack.dev/reference/methods/chat.update)",
  version: "0.1.0",
  type: "action",
  annotations: { destructiveHint: true, openWorldHint: true, readOnlyHint: false },
  props: {
    slack,
    channel: { propDefinition: [slack, "channel"] },
    timestamp: { propDefinition: [slack, "timestamp"] },
    text: { propDefinition: [slack, "text"] },
  },
  async run({ $ }) {
    const data = { channel: this.channel, ts: this.timestamp, text: this.text };
    const answer = await this.slack.call("chat.update", { $, data });
    $.export("$summary", `Changed the message ${answer.ts}`);
    return answer;
  },
};
