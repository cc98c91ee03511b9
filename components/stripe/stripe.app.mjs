import { axios, ConfigurationError } from "@grantkeep/runtime";

const PAGE_ITEMS = 100;

function explained(error) {
  const { status, headers, data } = error.response ?? {};
  if (!status) return error;
  const said = data?.error?.message ?? "no reason given";
  if (status === 401) {
    const text = `Stripe does not accept this key (${said}). Reconnect the account.`;
    return Object.assign(new ConfigurationError(text), { status });
  }
  if (status === 429) {
    const wait = headers?.["retry-after"] ?? "a few";
    const text = `Stripe takes no more calls for now. Try again in ${wait} s.`;
    return Object.assign(new Error(text), { status });
  }
  return Object.assign(new Error(`Stripe answered ${status}: ${said}`), { status });
}

/** Objects and lists as Stripe's forms have them: `metadata[order]=7`, `line_items[0][price]=x`. */
function form(value, name = "", into = new URLSearchParams()) {
  if (value === undefined || value === null) return into;
  if (typeof value !== "object") {
    into.append(name, `${value}`);
    return into;
  }
  for (const [key, inner] of Object.entries(value)) {
    form(inner, name ? `${name}[${key}]` : key, into);
  }
  return into;
}

export default {
  type: "app",
  app: "stripe",
  propDefinitions: {
    customer: {
      type: "string",
      label: "Customer",
      description: "The id of the customer, which begins with `cus_`.",
      async options({ prevContext }) {
        return this.choices("/customers", prevContext, {}, (it) => it.name || it.email || it.id);
      },
    },
    price: {
      type: "string",
      label: "Price",
      description: "What is sold: the id of a price, which begins with `price_`.",
      async options({ prevContext }) {
        const label = (it) => {
          const amount = `${it.unit_amount} ${it.currency} (smallest unit)`;
          return `${it.nickname || it.id}: ${amount}`;
        };
        return this.choices("/prices", prevContext, { active: true }, label);
      },
    },
    metadata: {
      type: "object",
      label: "Metadata",
      description: "Names and values of your own that are kept with it.",
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
    async request(path, { $ = this, data, headers, ...config } = {}) {
      try {
        return await axios($, {
          url: `https://api.stripe.com/v1${path}`,
          headers: {
            Authorization: `Bearer ${this.$auth.api_key}`,
            ...(data && { "Content-Type": "application/x-www-form-urlencoded" }),
            ...headers,
          },
          ...(data && { data: form(data).toString() }),
          ...config,
        });
      } catch (error) {
        throw explained(error);
      }
    },
    async choices(path, prevContext, params, label) {
      if (prevContext?.after === null) return [];
      const asked = { ...params, limit: PAGE_ITEMS, starting_after: prevContext?.after };
      const { data, has_more: more } = await this.request(path, { params: asked });
      const options = data.map((it) => ({ label: label(it), value: it.id }));
      return { options, context: { after: more ? data.at(-1).id : null } };
    },
    /** A list, the newest first, page after page up to `limit`. */
    async list(path, { $, limit, ...params }) {
      const found = [];
      let more = true;
      while (more && found.length < limit) {
        const answer = await this.request(path, {
          $,
          params: {
            ...params,
            limit: Math.min(limit - found.length, PAGE_ITEMS),
            starting_after: found.at(-1)?.id,
          },
        });
        found.push(...answer.data);
        more = answer.has_more && answer.data.length > 0;
      }
      return found;
    },
  },
};
