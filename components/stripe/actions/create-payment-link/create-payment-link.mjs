import { randomUUID } from "node:crypto";
import stripe from "../../stripe.app.mjs";

export default {
  key: "stripe-create-payment-link",
  name: "Create Payment Link",
  description: "Makes an address at which people pay a price. "
    + "[Stripe's documentation](https://docs.stripe.com/api/payment-link/create)",
  version: "0.1.0",
  type: "action",
  annotations: { destructiveHint: false, openWorldHint: true, readOnlyHint: false },
  props: {
    stripe,
    price: { propDefinition: [stripe, "price"] },
    quantity: {
      type: "integer",
      label: "Quantity",
      description: "How many are sold at once.",
      optional: true,
      min: 1,
      default: 1,
    },
    metadata: { propDefinition: [stripe, "metadata"] },
  },
  async run({ $ }) {
    const { price, quantity = 1, metadata } = this;
    const link = await this.stripe.request("/payment_links", {
      $,
      method: "POST",
      data: { line_items: [{ price, quantity }], metadata },
      headers: { "Idempotency-Key": randomUUID() },
    });
    $.export("$summary", `Created ${link.url}`);
    return link;
  },
};
