import { DEFAULT_POLLING_SOURCE_TIMER_INTERVAL } from "@grantkeep/runtime";
import hubspot from "../../hubspot.app.mjs";

const HISTORY_ITEMS = 5;
const POLL_ITEMS_MAX = 1000;
/** A new contact is found by search a little later, so each look begins this much earlier. */
const OVERLAP_MS = 60_000;

export default {
  key: "hubspot-new-contact",
  name: "New Contact",
  description: "Emits an event for each contact that is created.",
  version: "0.1.0",
  type: "source",
  dedupe: "unique",
  props: {
    hubspot,
    db: "$.service.db",
    timer: {
      type: "$.interface.timer",
      label: "How often to look",
      description: "The time between two looks.",
      default: { intervalSeconds: DEFAULT_POLLING_SOURCE_TIMER_INTERVAL },
    },
    properties: { propDefinition: [hubspot, "properties"] },
  },
  hooks: {
    async deploy() {
      await this.take(await this.newest());
    },
  },
  methods: {
    /** The newest first. */
    async newest(since) {
      const from = { propertyName: "createdate", operator: "GTE", value: since - OVERLAP_MS };
      return this.hubspot.search({
        filterGroups: since === undefined ? undefined : [{ filters: [from] }],
        sorts: [{ propertyName: "createdate", direction: "DESCENDING" }],
        properties: ["createdate", ...(this.properties ?? [])],
        limit: since === undefined ? HISTORY_ITEMS : POLL_ITEMS_MAX,
      });
    },
    async take(newestFirst) {
      for (const contact of [...newestFirst].reverse()) {
        this.$emit(contact, {
          id: contact.id,
          summary: `New contact: ${this.hubspot.nameOf(contact)}`,
          ts: Date.parse(contact.createdAt),
        });
      }
      if (newestFirst.length) await this.db.set("since", Date.parse(newestFirst[0].createdAt));
    },
  },
  async run() {
    await this.take(await this.newest(await this.db.get("since")));
  },
  sampleEmit: {
    id: "501",
    properties: { email: "grace@example.com", firstname: "Grace", lastname: "Hopper" },
    createdAt: "2025-11-20T09:00:00.000Z",
    updatedAt: "2025-11-20T09:00:00.000Z",
    archived: false,
  },
};
