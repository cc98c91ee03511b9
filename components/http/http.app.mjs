import { axios, ConfigurationError } from "@grantkeep/runtime";

const SLUG = /^[a-z0-9][a-z0-9_]*$/;
const FIELD = /\{\{\s*([A-Za-z0-9_]+)\s*\}\}/g;

/** Puts the account's fields in the place of `{{field}}`, in texts at any depth. */
function filled(value, fields) {
  if (typeof value === "string") {
    return value.replace(FIELD, (_, name) => {
      if (fields[name] === undefined) {
        const known = Object.keys(fields).join(", ") || "none";
        throw new ConfigurationError(
          `The account has no field "${name}" to fill {{${name}}} with. It has: ${known}.`,
        );
      }
      return String(fields[name]);
    });
  }
  if (Array.isArray(value)) return value.map((it) => filled(it, fields));
  if (value && typeof value === "object") {
    return Object.fromEntries(Object.entries(value).map(([k, it]) => [k, filled(it, fields)]));
  }
  return value;
}

export default {
  type: "app",
  app: "http",
  propDefinitions: {
    appSlug: {
      type: "string",
      label: "App",
      description: "The slug of the app whose account signs the request, such as `github`. "
        + "Leave it empty for a request without an account.",
      optional: true,
    },
    method: {
      type: "string",
      label: "Method",
      description: "What to do at the address.",
      options: ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"],
      default: "GET",
    },
    url: {
      type: "string",
      label: "URL",
      description: "The full address, with `https://`.",
    },
    params: {
      type: "object",
      label: "Query parameters",
      description: "Names and values that are added to the address.",
      optional: true,
    },
    headers: {
      type: "object",
      label: "Headers",
      description: "Names and values. `{{field}}` stands for a field of the account, "
        + "as in `Bearer {{api_key}}`.",
      optional: true,
    },
    body: {
      type: "any",
      label: "Body",
      description: "Objects and lists are sent as JSON, a text as it is.",
      optional: true,
    },
  },
  methods: {
    /** The props that let the person choose an account of this app. */
    accountProps(slug) {
      if (!slug) return {};
      if (!SLUG.test(slug)) {
        throw new ConfigurationError(
          `"${slug}" is not the slug of an app. Slugs look like github or google_sheets.`,
        );
      }
      return {
        account: {
          type: "app",
          app: slug,
          label: "Account",
          description: `The ${slug} account that signs the request.`,
        },
      };
    },
    /** Sends one request, signed with the fields of an account, and gives the whole answer. */
    async send($, { method, url, params, headers, body }, auth = {}) {
      let address;
      try {
        address = new URL(filled(url, auth));
      } catch (error) {
        if (error instanceof ConfigurationError) throw error;
        throw new ConfigurationError(`"${url}" is not a full address. Begin it with https://.`);
      }
      if (!["https:", "http:"].includes(address.protocol)) {
        throw new ConfigurationError(`The address begins with ${address.protocol}, not https:.`);
      }
      const sent = filled(headers ?? {}, auth);
      const signed = Object.keys(sent).some((it) => it.toLowerCase() === "authorization");
      if (!signed && auth.oauth_access_token) {
        sent.Authorization = `Bearer ${auth.oauth_access_token}`;
      }
      return axios($, {
        method,
        url: address.href,
        params: filled(params, auth),
        headers: sent,
        data: filled(body, auth),
        returnFullResponse: true,
        validateStatus: () => true,
      });
    },
  },
};
