import stripe from "../../stripe.app.mjs";

export default {
  key: "stripe-list-invoices",
  name: "List Invoices",
  description: "Lists invoices, the newest first. "
    + "[Stripe's documentation](https://docs.stripe.com/api/invoices/list)",
  version: "0.1.0",
  type: "action",
  annotations: { destructiveHint: false, openWorldHint: true, readOnlyHint: true },
  props: {
    stripe,
    customer: {
      propDefinition: [stripe, "customer"],
      description: "Only invoices of this customer.",
      optional: true,
    },
    status: {
      type: "string",
      label: "Status",
      description: "Only invoices that are in this state.",
      options: ["draft", "open", "paid", "uncollectible", "void"],
      optional: true,
    },
    limit: { propDefinition: [stripe, "limit"] },
  },
  async run({ $ }) {
    const { customer, status, limit = 100 } = this;
    const asked = { $, limit, customer: customer || undefined, status: status || undefined };
    const invoices = await this.stripe.list("/invoices", asked);
    const count = invoices.length;
    $.export("$summary", `Found ${count} invoice${count === 1 ? "" : "s"}`);
    return invoices;
  },
};
