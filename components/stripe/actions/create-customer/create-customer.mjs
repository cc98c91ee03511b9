import { randomUUID } from "node:crypto";
import { ConfigurationError } from "@grantkeep/runtime";
import stripe from "../../stripe.app.mjs";

export default {
  key: "stripe-create-customer",
  name: "Create Customer",
  description: "Creates a customer. "
    + "[Stripe's documentation](https://docs.stripe.com/api/customers/create)",
  version: "0.1.0",
  type: "action",
  annotations: { destructiveHint: false, openWorldHint: true, readOnlyHint: false },
  props: {
    stripe,
    name: { type: "string", label: "Name", description: "Who it is.", optional: true },
    email: { type: "string", label: "Email", description: "The mail address.", optional: true },
    phone: { type: "string", label: "Phone", description: "The phone number.", optional: true },
    description: {
      type: "string",
      label: "Description",
      description: "What you want to know of the customer.",
      optional: true,
    },
    metadata: { propDefinition: [stripe, "metadata"] },
  },
  async run({ $ }) {
    const { name, email, phone, description, metadata } = this;
    if (!name && !email) throw new ConfigurationError("Give a name or a mail address.");
    const customer = await this.stripe.request("/customers", {
      $,
      method: "POST",
      data: { name, email, phone, description, metadata },
      // Should the way there break and the call be made again, it counts once.
      headers: { "Idempotency-Key": randomUUID() },
    });
    $.export("$summary", `Created the customer ${customer.id}`);
    return customer;
  },
};
