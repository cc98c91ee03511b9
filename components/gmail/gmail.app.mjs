import { axios, ConfigurationError } from "@grantkeep/runtime";

const PAGE_ITEMS = 100;
const LINE_CHARS = 76;
/** Bytes of text that fit into one encoded word (RFC 2047 section 2), with room for its frame. */
const WORD_BYTES = 42;
const ADDRESS = /^[^\s<>@,;:"]+@[^\s<>@,;:"]+$/;

function explained(error) {
  const { status, headers, data } = error.response ?? {};
  if (!status) return error;
  const said = data?.error?.message ?? "no reason given";
  if (status === 401) {
    const text = `Google no longer accepts this connection (${said}). Reconnect the account.`;
    return Object.assign(new ConfigurationError(text), { status });
  }
  if (status === 429) {
    const wait = headers?.["retry-after"] ?? "60";
    const text = `Gmail takes no more calls for now. Try again in ${wait} s.`;
    return Object.assign(new Error(text), { status });
  }
  return Object.assign(new Error(`Gmail answered ${status}: ${said}`), { status });
}

/** A text of a header: as it is, or in encoded words, never splitting a character. */
function encoded(text) {
  if (/^[\x20-\x7e]*$/.test(text)) return text;
  const words = [];
  let word = "";
  for (const character of text) {
    if (Buffer.byteLength(word + character) > WORD_BYTES) {
      words.push(word);
      word = "";
    }
    word += character;
  }
  return [...words, word]
    .map((it) => `=?UTF-8?B?${Buffer.from(it).toString("base64")}?=`).join("\r\n ");
}

/** `ann@example.com` or `Ann <ann@example.com>`; anything else is refused. */
function address(given, label) {
  const text = `${given}`.trim();
  const named = /^(.*?)\s*<([^<>]*)>$/s.exec(text);
  const [name, mail] = named ? [named[1], named[2]] : ["", text];
  if (!ADDRESS.test(mail) || /[\r\n]/.test(name)) {
    throw new ConfigurationError(`${label}: "${text}" is not a mail address.`);
  }
  if (!name) return mail;
  const plain = /^[\x20-\x7e]*$/.test(name);
  const bare = name.replace(/^"(.*)"$/s, "$1");
  return plain ? `"${bare.replace(/["\\]/g, "\\$&")}" <${mail}>` : `${encoded(bare)} <${mail}>`;
}

function addresses(given, label) {
  const list = Array.isArray(given) ? given : `${given ?? ""}`.split(",");
  return list.filter((it) => `${it}`.trim()).map((it) => address(it, label)).join(",\r\n ");
}

export default {
  type: "app",
  app: "gmail",
  propDefinitions: {
    labels: {
      type: "string[]",
      label: "Labels",
      description: "Only mail that has all of these labels.",
      optional: true,
      async options({ page }) {
        if (page > 0) return [];
        const { labels } = await this.request("/labels");
        return labels.map((it) => ({ label: it.name, value: it.id }));
      },
    },
    q: {
      type: "string",
      label: "Query",
      description: "As in Gmail's search box, such as `from:ann@example.com is:unread`.",
      optional: true,
    },
  },
  methods: {
    async request(path, { $ = this, ...config } = {}) {
      try {
        return await axios($, {
          url: `https://gmail.googleapis.com/gmail/v1/users/me${path}`,
          headers: { Authorization: `Bearer ${this.$auth.oauth_access_token}` },
          ...config,
        });
      } catch (error) {
        throw explained(error);
      }
    },
    /** A message (RFC 5322) as Gmail takes it. */
    raw({ to, cc, bcc, subject, body, html, inReplyTo }) {
      if (/[\r\n]/.test(`${subject}${inReplyTo ?? ""}`)) {
        throw new ConfigurationError("A subject is one line.");
      }
      const lines = [
        ["To", addresses(to, "To")],
        ["Cc", addresses(cc, "Cc")],
        ["Bcc", addresses(bcc, "Bcc")],
        ["Subject", encoded(subject)],
        ["In-Reply-To", inReplyTo],
        ["References", inReplyTo],
        ["MIME-Version", "1.0"],
        ["Content-Type", `text/${html ? "html" : "plain"}; charset=utf-8`],
        ["Content-Transfer-Encoding", "base64"],
      ].filter(([, value]) => value).map(([name, value]) => `${name}: ${value}`);
      if (!lines[0].startsWith("To: ")) throw new ConfigurationError("Give a recipient.");
      const text = Buffer.from(body).toString("base64")
        .replace(new RegExp(`.{${LINE_CHARS}}`, "g"), "$&\r\n");
      return Buffer.from(`${lines.join("\r\n")}\r\n\r\n${text}`).toString("base64url");
    },
    /** Ids of messages, the newest first. */
    async list({ $, q, labelIds, limit }) {
      const found = [];
      let pageToken;
      do {
        const params = new URLSearchParams({ maxResults: Math.min(limit, PAGE_ITEMS) });
        if (q) params.set("q", q);
        for (const label of labelIds ?? []) params.append("labelIds", label);
        if (pageToken) params.set("pageToken", pageToken);
        const answer = await this.request(`/messages?${params}`, { $ });
        found.push(...(answer.messages ?? []));
        pageToken = answer.nextPageToken;
      } while (pageToken && found.length < limit);
      return found.slice(0, limit).map((it) => it.id);
    },
    /** A message with what people look for in it. */
    async message(id, { $ } = {}) {
      const path = `/messages/${encodeURIComponent(id)}`;
      return this.read(await this.request(path, { $, params: { format: "full" } }));
    },
    read(message) {
      const header = (name) => message.payload?.headers
        ?.find((it) => it.name.toLowerCase() === name)?.value;
      return {
        id: message.id,
        threadId: message.threadId,
        messageId: header("message-id"),
        from: header("from"),
        to: header("to"),
        subject: header("subject"),
        date: new Date(Number(message.internalDate)).toISOString(),
        snippet: message.snippet,
        text: this.text(message.payload, "text/plain"),
        html: this.text(message.payload, "text/html"),
        labelIds: message.labelIds,
      };
    },
    /** The first part of this kind, however deep. */
    text(part, kind) {
      if (part?.mimeType === kind && part.body?.data) {
        return Buffer.from(part.body.data, "base64url").toString();
      }
      for (const inner of part?.parts ?? []) {
        const found = this.text(inner, kind);
        if (found !== undefined) return found;
      }
      return undefined;
    },
  },
};
