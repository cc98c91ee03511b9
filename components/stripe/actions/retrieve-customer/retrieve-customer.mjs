import stripe from "../../stripe.app.mjs";

export default {
  key: "stripe-retrieve-customer",
  name: "Retrieve Customer",
  description: "Gives what Stripe knows of a customer. "
    + "[Stripe's documentation](https://docs.stripe.com/api/customers/retrieve)",
  version: "0.1.0",
  type: "action",
  annotations: { destructiveHint: false, openWorldHint: true, readOnlyHint: true },
  props: {
    stripe,
    customer: { propDefinition: [stripe, "customer"] },
  },
  async run({ $ }) {
    const path = `/customers/${encodeURIComponent(this.customer)}`;
    const customer = await this.stripe.request(path, { $ });
    $.export("$summary", `Found the customer ${customer.name || customer.email || customer.id}`);
    return customer;
  },
};
