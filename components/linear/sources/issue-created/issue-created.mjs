import { DEFAULT_POLLING_SOURCE_TIMER_INTERVAL } from "@grantkeep/runtime";
import linear from "../../linear.app.mjs";

const HISTORY_ITEMS = 5;
const POLL_ITEMS_MAX = 500;

export default {
  key: "linear-issue-created",
  name: "Issue Created",
  description: "Emits an event for each issue that is created, in one team or in all.",
  version: "0.1.0",
  type: "source",
  dedupe: "unique",
  props: {
    linear,
    db: "$.service.db",
    timer: {
      type: "$.interface.timer",
      label: "How often to look",
      description: "The time between two looks.",
      default: { intervalSeconds: DEFAULT_POLLING_SOURCE_TIMER_INTERVAL },
    },
    teamId: {
      propDefinition: [linear, "teamId"],
      description: "Only issues of this team. Empty: all teams.",
      optional: true,
    },
  },
  hooks: {
    async deploy() {
      await this.take(await this.newest());
    },
  },
  methods: {
    async newest(since) {
      const limit = since ? POLL_ITEMS_MAX : HISTORY_ITEMS;
      return this.linear.newestIssues({ teamId: this.teamId, since, limit });
    },
    async take(newestFirst) {
      for (const issue of [...newestFirst].reverse()) {
        this.$emit(issue, {
          id: issue.id,
          summary: `New issue ${issue.identifier}: ${issue.title}`,
          ts: Date.parse(issue.createdAt),
        });
      }
      if (newestFirst.length) await this.db.set("since", newestFirst[0].createdAt);
    },
  },
  async run() {
    await this.take(await this.newest(await this.db.get("since")));
  },
  sampleEmit: {
    id: "issue-1",
    identifier: "ENG-1",
    title: "The third wheel sticks",
    priority: 2,
    url: "https://linear.app/lumen/issue/ENG-1",
    createdAt: "2025-11-20T09:00:00.000Z",
  },
};
