import { DEFAULT_POLLING_SOURCE_TIMER_INTERVAL } from "@grantkeep/runtime";
import stripe from "../../stripe.app.mjs";

const HISTORY_ITEMS = 5;
const POLL_ITEMS_MAX = 1000;

export default {
  key: "stripe-new-payment",
  name: "New Payment",
  description: "Emits an event for each payment that succeeds.",
  version: "0.1.0",
  type: "source",
  dedupe: "unique",
  props: {
    stripe,
    db: "$.service.db",
    timer: {
      type: "$.interface.timer",
      label: "How often to look",
      description: "The time between two looks.",
      default: { intervalSeconds: DEFAULT_POLLING_SOURCE_TIMER_INTERVAL },
    },
  },
  hooks: {
    async deploy() {
      await this.take(await this.newest());
    },
  },
  methods: {
    /** Stripe's own news, the newest first: a payment may succeed long after it was begun. */
    async newest(since) {
      return this.stripe.list("/events", {
        "type": "payment_intent.succeeded",
        "created[gte]": since,
        "limit": since === undefined ? HISTORY_ITEMS : POLL_ITEMS_MAX,
      });
    },
    async take(newestFirst) {
      for (const { id, created, data } of [...newestFirst].reverse()) {
        const payment = data.object;
        this.$emit(payment, {
          id,
          summary: `New payment: ${payment.amount} ${payment.currency} (smallest unit)`,
          ts: created * 1000,
        });
      }
      if (newestFirst.length) await this.db.set("since", newestFirst[0].created);
    },
  },
  async run() {
    await this.take(await this.newest(await this.db.get("since")));
  },
  sampleEmit: {
    id: "pi_0001",
    object: "payment_intent",
    amount: 1200,
    currency: "usd",
    status: "succeeded",
    customer: "cus_grace",
    created: 1763629200,
  },
};
