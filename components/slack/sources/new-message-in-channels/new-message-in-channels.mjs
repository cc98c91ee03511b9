import { DEFAULT_POLLING_SOURCE_TIMER_INTERVAL } from "@grantkeep/runtime";
import slack from "../../slack.app.mjs";

const HISTORY_ITEMS = 5;
const POLL_ITEMS_MAX = 1000;

export default {
  key: "slack-new-message-in-channels",
  name: "New Message in Channels",
  description: "Emits an event for each new message in the channels you choose.",
  version: "0.1.0",
  type: "source",
  dedupe: "unique",
  props: {
    slack,
    db: "$.service.db",
    timer: {
      type: "$.interface.timer",
      label: "How often to look",
      description: "The time between two looks.",
      default: { intervalSeconds: DEFAULT_POLLING_SOURCE_TIMER_INTERVAL },
    },
    conversations: {
      propDefinition: [slack, "channel"],
      type: "string[]",
      label: "Channels",
      description: "The channels to watch.",
    },
    includeSystem: {
      type: "boolean",
      label: "Notices too",
      description: "Whether joins, topic changes and the like count as messages.",
      optional: true,
      default: false,
    },
  },
  hooks: {
    async deploy() {
      for (const channel of this.conversations) {
        const messages = await this.slack.history({ channel, limit: HISTORY_ITEMS });
        await this.take(channel, messages);
        // In an empty channel, all that comes from now on is new.
        if (!messages.length) await this.remember(channel, "0");
      }
    },
  },
  methods: {
    /** The newest timestamp seen in a channel. */
    async seen(channel) {
      return (await this.db.get("seen"))?.[channel];
    },
    async remember(channel, ts) {
      await this.db.set("seen", { ...(await this.db.get("seen")), [channel]: ts });
    },
    /** Emits what counts, the oldest first, and remembers how far it got. */
    async take(channel, messages) {
      for (const message of [...messages].reverse()) {
        if (message.subtype && !this.includeSystem) continue;
        this.$emit({ ...message, channel }, {
          id: `${channel}-${message.ts}`,
          summary: `New message: ${(message.text ?? "").slice(0, 80)}`,
          ts: Math.floor(Number(message.ts) * 1000),
        });
      }
      if (messages.length) await this.remember(channel, messages[0].ts);
    },
  },
  async run() {
    for (const channel of this.conversations) {
      const oldest = await this.seen(channel);
      const limit = oldest ? POLL_ITEMS_MAX : HISTORY_ITEMS;
      await this.take(channel, await this.slack.history({ channel, oldest, limit }));
    }
  },
  sampleEmit: {
    type: "message",
    user: "U0GRACE01",
    text: "Good morning all",
    ts: "1763629200.000100",
    channel: "C0GENERAL",
  },
};
