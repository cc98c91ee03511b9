import { axios, ConfigurationError } from "@grantkeep/runtime";

const PAGE_ITEMS = 100;
/** Notion takes no longer piece of text. */
const TEXT_CHARS_MAX = 2000;

function explained(error) {
  const { status, headers, data } = error.response ?? {};
  if (!status) return error;
  const said = data?.message ?? "no reason given";
  if (status === 401) {
    const text = `Notion no longer accepts this connection (${said}) Reconnect the account.`;
    return Object.assign(new ConfigurationError(text), { status });
  }
  if (status === 429) {
    const wait = headers?.["retry-after"] ?? "a few";
    const text = `Notion takes no more calls for now. Try again in ${wait} s.`;
    return Object.assign(new Error(text), { status });
  }
  return Object.assign(new Error(`Notion answered ${status}: ${said}`), { status });
}

const text = (content) => {
  const pieces = [];
  for (let at = 0; at < content.length; at += TEXT_CHARS_MAX) {
    pieces.push({ type: "text", text: { content: content.slice(at, at + TEXT_CHARS_MAX) } });
  }
  return pieces;
};

/** How the value of a prop becomes a property of each type. Others cannot be set here. */
const PROPERTIES = {
  title: { type: "string", value: (it) => text(`${it}`) },
  rich_text: { type: "string", value: (it) => text(`${it}`) },
  number: {
    type: "string",
    value(it, name) {
      const number = Number(it);
      if (`${it}`.trim() && Number.isFinite(number)) return number;
      throw new ConfigurationError(`"${it}" is no number, which ${name} wants.`);
    },
  },
  checkbox: { type: "boolean", value: (it) => it === true || it === "true" },
  select: { type: "string", value: (it) => ({ name: it }) },
  status: { type: "string", value: (it) => ({ name: it }) },
  multi_select: { type: "string[]", value: (it) => it.map((name) => ({ name })) },
  date: {
    type: "string",
    hint: "A day or a time, such as `2026-01-31`.",
    value: (start) => ({ start }),
  },
  url: { type: "string", value: (it) => it },
  email: { type: "string", value: (it) => it },
  phone_number: { type: "string", value: (it) => it },
};

export default {
  type: "app",
  app: "notion",
  propDefinitions: {
    databaseId: {
      type: "string",
      label: "Database",
      description: "A database that was shared with the connection.",
      useQuery: true,
      async options({ prevContext, query }) {
        return this.searchOptions("database", prevContext, query);
      },
    },
    pageId: {
      type: "string",
      label: "Page",
      description: "A page that was shared with the connection.",
      useQuery: true,
      async options({ prevContext, query }) {
        return this.searchOptions("page", prevContext, query);
      },
    },
    content: {
      type: "string",
      label: "Content",
      description: "Text of the page. An empty line begins a new paragraph.",
      optional: true,
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
    async request(path, { $ = this, ...config } = {}) {
      try {
        return await axios($, {
          url: `https://api.notion.com/v1${path}`,
          headers: {
            "Authorization": `Bearer ${this.$auth.oauth_access_token}`,
            "Notion-Version": "2022-06-28",
          },
          ...config,
        });
      } catch (error) {
        throw explained(error);
      }
    },
    async searchOptions(kind, prevContext, query) {
      if (prevContext?.cursor === null) return [];
      const answer = await this.request("/search", {
        method: "POST",
        data: {
          query: query || undefined,
          filter: { property: "object", value: kind },
          start_cursor: prevContext?.cursor,
          page_size: PAGE_ITEMS,
        },
      });
      const options = answer.results.map((it) => ({ label: this.titleOf(it), value: it.id }));
      return { options, context: { cursor: answer.has_more ? answer.next_cursor : null } };
    },
    /** The title of a page or a database as plain text. */
    titleOf(it) {
      const parts = it.title
        ?? Object.values(it.properties ?? {}).find((property) => property.type === "title")?.title;
      const words = (parts ?? []).map((part) => part.plain_text ?? part.text?.content ?? "");
      return words.join("") || "Untitled";
    },
    async database(id, { $ } = {}) {
      return this.request(`/databases/${encodeURIComponent(id)}`, { $ });
    },
    /** Pages of a database until `limit`, or until `enough` says so of one. */
    async query(id, { $, filter, sorts, limit, enough = () => false }) {
      const found = [];
      let cursor;
      do {
        const answer = await this.request(`/databases/${encodeURIComponent(id)}/query`, {
          $,
          method: "POST",
          data: {
            filter,
            sorts,
            start_cursor: cursor,
            page_size: Math.min(limit - found.length, PAGE_ITEMS),
          },
        });
        for (const page of answer.results) {
          if (enough(page)) return found;
          found.push(page);
        }
        cursor = answer.has_more ? answer.next_cursor : undefined;
      } while (cursor && found.length < limit);
      return found.slice(0, limit);
    },
    async children(id, { $ } = {}) {
      const found = [];
      let cursor;
      do {
        const params = { start_cursor: cursor, page_size: PAGE_ITEMS };
        const path = `/blocks/${encodeURIComponent(id)}/children`;
        const answer = await this.request(path, { $, params });
        found.push(...answer.results);
        cursor = answer.has_more ? answer.next_cursor : undefined;
      } while (cursor);
      return found;
    },
    /** Name of the prop, name of the property and its schema, for all that can be set. */
    settable(database) {
      const taken = new Set();
      return Object.entries(database.properties)
        .filter(([, schema]) => PROPERTIES[schema.type])
        .map(([name, schema]) => {
          let prop = `prop_${name.replace(/\W+/g, "_")}`;
          while (taken.has(prop)) prop += "_";
          taken.add(prop);
          return { prop, name, schema };
        });
    },
    propsOf(database) {
      return Object.fromEntries(this.settable(database).map(({ prop, name, schema }) => {
        const { type, hint } = PROPERTIES[schema.type];
        const options = schema[schema.type]?.options?.map((it) => it.name);
        return [prop, {
          type,
          label: name,
          description: hint ?? `The property "${name}" (${schema.type.replace("_", " ")}).`,
          optional: schema.type !== "title",
          ...(options && { options }),
        }];
      }));
    },
    /** The properties of a page, from the props that `propsOf` made. */
    propertiesFrom(component, database) {
      const properties = {};
      for (const { prop, name, schema } of this.settable(database)) {
        const given = component[prop];
        if (given === undefined || given === "") continue;
        properties[name] = { [schema.type]: PROPERTIES[schema.type].value(given, name) };
      }
      return properties;
    },
    blocks(content, type = "paragraph") {
      return `${content ?? ""}`.split(/\n\s*\n/).map((it) => it.trim()).filter(Boolean)
        .map((it) => ({ object: "block", type, [type]: { rich_text: text(it) } }));
    },
  },
};
