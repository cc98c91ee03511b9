import { axios, ConfigurationError } from "@grantkeep/runtime";

const PAGE_ITEMS = 100;
/** Fields that Airtable fills in by itself, or that cannot be set by a value alone. */
const COMPUTED = [
  "aiText", "autoNumber", "button", "count", "createdBy", "createdTime", "externalSyncSource",
  "formula", "lastModifiedBy", "lastModifiedTime", "multipleLookupValues", "rollup",
];
const TYPES = {
  checkbox: "boolean",
  multipleRecordLinks: "string[]",
  multipleSelects: "string[]",
};

function explained(error) {
  const { status, headers, data } = error.response ?? {};
  if (!status) return error;
  const said = data?.error?.message ?? data?.errors?.[0]?.message ?? data?.error
    ?? "no reason given";
  if (status === 401) {
    const text = `Airtable no longer accepts this connection (${said}). Reconnect the account.`;
    return Object.assign(new ConfigurationError(text), { status });
  }
  if (status === 429) {
    const wait = headers?.["retry-after"] ?? "30";
    const text = `Airtable takes no more calls for now. Try again in ${wait} s.`;
    return Object.assign(new Error(text), { status });
  }
  return Object.assign(new Error(`Airtable answered ${status}: ${said}`), { status });
}

export default {
  type: "app",
  app: "airtable_oauth",
  propDefinitions: {
    baseId: {
      type: "string",
      label: "Base",
      description: "A base that the account may use.",
      async options({ prevContext }) {
        if (prevContext?.offset === null) return [];
        const params = { offset: prevContext?.offset };
        const { bases, offset } = await this.request("/meta/bases", { params });
        const options = bases.map((it) => ({ label: it.name, value: it.id }));
        return { options, context: { offset: offset ?? null } };
      },
    },
    tableId: {
      type: "string",
      label: "Table",
      description: "A table of the base.",
      async options({ baseId, page }) {
        if (!baseId || page > 0) return [];
        const tables = await this.tables(baseId);
        return tables.map((it) => ({ label: it.name, value: it.id }));
      },
    },
    recordId: {
      type: "string",
      label: "Record",
      description: "The id of the record, which begins with `rec`.",
      async options({ baseId, tableId, prevContext }) {
        if (!baseId || !tableId || prevContext?.offset === null) return [];
        const { primaryFieldId, fields } = await this.table(baseId, tableId);
        const primary = fields.find((it) => it.id === primaryFieldId)?.name;
        const params = { offset: prevContext?.offset, pageSize: PAGE_ITEMS };
        const { records, offset } = await this.request(this.path(baseId, tableId), { params });
        const options = records.map((it) => ({
          label: `${it.fields[primary] ?? it.id}`,
          value: it.id,
        }));
        return { options, context: { offset: offset ?? null } };
      },
    },
  },
  methods: {
    async request(path, { $ = this, ...config } = {}) {
      const headers = { Authorization: `Bearer ${this.$auth.oauth_access_token}` };
      try {
        return await axios($, { url: `https://api.airtable.com/v0${path}`, headers, ...config });
      } catch (error) {
        throw explained(error);
      }
    },
    path(...parts) {
      return `/${parts.map(encodeURIComponent).join("/")}`;
    },
    async tables(baseId, { $ } = {}) {
      const path = `/meta/bases/${encodeURIComponent(baseId)}/tables`;
      return (await this.request(path, { $ })).tables;
    },
    async table(baseId, tableId, { $ } = {}) {
      const tables = await this.tables(baseId, { $ });
      const found = tables.find((it) => it.id === tableId || it.name === tableId);
      if (found) return found;
      const names = tables.map((it) => it.name).join(", ");
      throw new ConfigurationError(`The base has no table ${tableId}. It has: ${names}.`);
    },
    /** Records, page after page up to `limit`. */
    async records(baseId, tableId, { $, limit, ...params }) {
      const found = [];
      let offset;
      do {
        const pageSize = Math.min(limit - found.length, PAGE_ITEMS);
        const answer = await this.request(this.path(baseId, tableId), {
          $,
          params: { ...params, pageSize, offset },
        });
        found.push(...answer.records);
        offset = answer.offset;
      } while (offset && found.length < limit);
      return found.slice(0, limit);
    },
    /** A prop for each field that can be set: `field_` and its id. */
    async fieldProps(baseId, tableId) {
      if (!baseId || !tableId) return {};
      const { fields } = await this.table(baseId, tableId);
      return Object.fromEntries(fields.filter((it) => !COMPUTED.includes(it.type)).map((it) => {
        const options = it.options?.choices?.map((choice) => choice.name);
        return [`field_${it.id}`, {
          type: TYPES[it.type] ?? "string",
          label: it.name,
          description: it.description || `The field "${it.name}".`,
          optional: true,
          ...(options && { options }),
        }];
      }));
    },
    /** The fields that were given, by name. */
    async fieldsFrom($, component) {
      const { fields } = await this.table(component.baseId, component.tableId, { $ });
      const given = fields
        .map((it) => [it.name, component[`field_${it.id}`]])
        .filter(([, value]) => value !== undefined);
      const all = { ...Object.fromEntries(given), ...component.record };
      if (Object.keys(all).length) return all;
      throw new ConfigurationError("Give a value for one field at least.");
    },
  },
};
