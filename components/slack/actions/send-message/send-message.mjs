import { ConfigurationError } from "@grantkeep/runtime";
import slack from "../../slack.app.mjs";

export default {
  key: "slack-send-message",
  name: "Send Message",
  description: "Sends a message to a channel, or into a thread of it. "
    + "[Slack's documentation](https://docs.slack.dev/reference/methods/chat.postMessage)",
  version: "0.1.0",
  type: "action",
  annotations: { destructiveHint: false, openWorldHint: true, readOnlyHint: false },
  props: {
    slack,
    channel: { propDefinition: [slack, "channel"] },
    text: { propDefinition: [slack, "text"] },
    thread_ts: {
      propDefinition: [slack, "timestamp"],
      label: "Thread",
      description: "The `ts` of the message to answer. Leave it empty for a message of its own.",
      optional: true,
    },
    unfurl_links: {
      type: "boolean",
      label: "Show previews of links",
      description: "Whether Slack shows what links lead to.",
      optional: true,
    },
    blocks: {
      type: "any",
      label: "Blocks",
      description: "Layout blocks, as a list or as JSON; the text is then what notifications show.",
      optional: true,
    },
  },
  async run({ $ }) {
    const data = {
      channel: this.channel,
      text: this.text,
      thread_ts: this.thread_ts,
      unfurl_links: this.unfurl_links,
      blocks: blocks(this.blocks),
    };
    const answer = await this.slack.call("chat.postMessage", { $, data });
    $.export("$summary", `Sent a message to ${answer.channel}`);
    return answer;
  },
};

function blocks(given) {
  if (typeof given !== "string") return given;
  if (!given.trim()) return undefined;
  try {
    return JSON.parse(given);
  } catch (error) {
    throw new ConfigurationError(`Blocks must be JSON: ${error.message}`);
  }
}
