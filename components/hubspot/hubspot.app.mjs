import { axios, ConfigurationError } from "@grantkeep/runtime";

const PAGE_ITEMS = 100;

function explained(error) {
  const { status, headers, data } = error.response ?? {};
  if (!status) return error;
  const said = data?.message ?? "no reason given";
  if (status === 401) {
    const text = `HubSpot no longer accepts this connection (${said}). Reconnect the account.`;
    return Object.assign(new ConfigurationError(text), { status });
  }
  if (status === 429) {
    const wait = headers?.["retry-after"] ?? "10";
    const text = `HubSpot takes no more calls for now. Try again in ${wait} s.`;
    return Object.assign(new Error(text), { status });
  }
  return Object.assign(new Error(`HubSpot answered ${status}: ${said}`), { status });
}

export default {
  type: "app",
  app: "hubspot",
  propDefinitions: {
    properties: {
      type: "string[]",
      label: "Properties",
      description: "What is returned of each contact, beside name and mail address.",
      optional: true,
      async options({ page }) {
        return page > 0 ? [] : this.propertyOptions();
      },
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
      const headers = { Authorization: `Bearer ${this.$auth.oauth_access_token}` };
      try {
        return await axios($, { url: `https://api.hubapi.com${path}`, headers, ...config });
      } catch (error) {
        throw explained(error);
      }
    },
    async propertyOptions({ writable = false } = {}) {
      const { results } = await this.request("/crm/v3/properties/contacts");
      return results
        .filter((it) => !writable || !it.modificationMetadata?.readOnlyValue)
        .map((it) => ({ label: it.label, value: it.name }));
    },
    /** Contacts by search, page after page up to `limit`. */
    async search({ $, limit, properties = [], ...data }) {
      const wanted = [...new Set(["email", "firstname", "lastname", ...properties])];
      const found = [];
      let after;
      do {
        const answer = await this.request("/crm/v3/objects/contacts/search", {
          $,
          method: "POST",
          data: {
            ...data,
            properties: wanted,
            after,
            limit: Math.min(limit - found.length, PAGE_ITEMS),
          },
        });
        found.push(...answer.results);
        after = answer.paging?.next?.after;
      } while (after && found.length < limit);
      return found;
    },
    nameOf({ id, properties: { firstname, lastname, email } }) {
      return [firstname, lastname].filter(Boolean).join(" ") || email || id;
    },
  },
};
