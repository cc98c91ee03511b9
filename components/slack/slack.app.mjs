import { axios, ConfigurationError } from "@grantkeep/runtime";

const PAGE_ITEMS = 200;
const ENDED = ["invalid_auth", "not_authed", "token_revoked", "token_expired", "account_inactive"];
const HINTS = {
  channel_not_found: "Choose a channel that this account can see.",
  not_in_channel: "Invite the account to the channel first.",
  is_archived: "The channel is archived; choose another.",
  missing_scope: "Reconnect the account and allow what is missing.",
  message_not_found: "No message of the channel has this timestamp.",
  cant_update_message: "Only messages of the connected account can be changed.",
};

function failure(code, needed) {
  if (ENDED.includes(code)) {
    const text = `Slack no longer accepts this connection (${code}). Reconnect the account.`;
    return Object.assign(new ConfigurationError(text), { status: 401, code });
  }
  const hint = HINTS[code] ? ` ${HINTS[code]}` : "";
  const scope = needed ? ` (needed: ${needed})` : "";
  return Object.assign(new Error(`Slack refused: ${code}${scope}.${hint}`), { code });
}

function explained(error) {
  const { status, headers, data } = error.response ?? {};
  if (!status) return error;
  if (status === 429) {
    const wait = headers?.["retry-after"] ?? "a few";
    const text = `Slack takes no more calls for now. Try again in ${wait} s.`;
    return Object.assign(new Error(text), { status });
  }
  const text = `Slack answered ${status}: ${data?.error ?? "no reason given"}`;
  return Object.assign(new Error(text), { status });
}

export default {
  type: "app",
  app: "slack",
  propDefinitions: {
    channel: {
      type: "string",
      label: "Channel",
      description: "A channel that the account is in, public or private.",
      useQuery: true,
      async options({ prevContext, query }) {
        const { channels, cursor } = await this.listChannels({
          types: "public_channel,private_channel",
          cursor: prevContext?.cursor,
        });
        const wanted = query?.toLowerCase().replace(/^#/, "") ?? "";
        const options = channels
          .filter((it) => it.name.includes(wanted))
          .map((it) => ({ label: `#${it.name}`, value: it.id }));
        return { options, context: { cursor } };
      },
    },
    user: {
      type: "string",
      label: "User",
      description: "Somebody of the workspace.",
      async options({ prevContext }) {
        const { members, cursor } = await this.listUsers({ cursor: prevContext?.cursor });
        const options = members
          .filter((it) => !it.deleted && !it.is_bot)
          .map((it) => ({ label: it.real_name || it.name, value: it.id }));
        return { options, context: { cursor } };
      },
    },
    text: {
      type: "string",
      label: "Text",
      description: "The message. Slack's own markup works: `*bold*`, `_italic_`, `<@U123>`.",
    },
    timestamp: {
      type: "string",
      label: "Message timestamp",
      description: "The `ts` of the message, such as `1763629200.000100`.",
    },
    limit: {
      type: "integer",
      label: "Limit",
      description: "The most that is returned.",
      optional: true,
      min: 1,
      max: 1000,
      default: 100,
    },
  },
  methods: {
    /** Calls a method of the Web API. Reads go by query, writes by JSON. */
    async call(method, { $ = this, params, data } = {}) {
      let answer;
      try {
        answer = await axios($, {
          method: data ? "POST" : "GET",
          url: `https://slack.com/api/${method}`,
          headers: {
            Authorization: `Bearer ${this.$auth.oauth_access_token}`,
            ...(data && { "Content-Type": "application/json; charset=utf-8" }),
          },
          params,
          data,
        });
      } catch (error) {
        throw explained(error);
      }
      if (!answer?.ok) throw failure(answer?.error ?? "unknown_error", answer?.needed);
      return answer;
    },
    /** One page, and the cursor of the next; an answered page without one is the last. */
    async listChannels({ $, cursor, types, limit = PAGE_ITEMS, excludeArchived = true } = {}) {
      if (cursor === null) return { channels: [], cursor: null };
      const params = { types, cursor, limit, exclude_archived: excludeArchived };
      const answer = await this.call("conversations.list", { $, params });
      return { channels: answer.channels, cursor: answer.response_metadata?.next_cursor || null };
    },
    async listUsers({ $, cursor } = {}) {
      if (cursor === null) return { members: [], cursor: null };
      const answer = await this.call("users.list", { $, params: { cursor, limit: PAGE_ITEMS } });
      return { members: answer.members, cursor: answer.response_metadata?.next_cursor || null };
    },
    /** Messages newer than `oldest`, the newest first, page after page up to `limit`. */
    async history({ channel, oldest, limit = PAGE_ITEMS }) {
      const messages = [];
      let cursor;
      do {
        const params = { channel, oldest, cursor, limit: Math.min(limit, PAGE_ITEMS) };
        const answer = await this.call("conversations.history", { params });
        messages.push(...answer.messages);
        cursor = answer.response_metadata?.next_cursor;
      } while (cursor && messages.length < limit);
      return messages.slice(0, limit);
    },
  },
};
