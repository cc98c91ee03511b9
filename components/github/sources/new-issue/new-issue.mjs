import { DEFAULT_POLLING_SOURCE_TIMER_INTERVAL } from "@grantkeep/runtime";
import github from "../../github.app.mjs";

const HISTORY_ITEMS = 5;
const POLL_ITEMS_MAX = 500;

export default {
  key: "github-new-issue",
  name: "New Issue",
  description: "Emits an event for each issue that is opened in a repository.",
  version: "0.1.0",
  type: "source",
  dedupe: "greatest",
  props: {
    github,
    db: "$.service.db",
    timer: {
      type: "$.interface.timer",
      label: "How often to look",
      description: "The time between two looks.",
      default: { intervalSeconds: DEFAULT_POLLING_SOURCE_TIMER_INTERVAL },
    },
    repoFullname: { propDefinition: [github, "repoFullname"] },
  },
  hooks: {
    async deploy() {
      await this.take(await this.issues({ limit: HISTORY_ITEMS }));
    },
  },
  methods: {
    /** Of any state: one that was closed at once was opened all the same. */
    async issues({ limit, since }) {
      const path = `${this.github.repo(this.repoFullname)}/issues`;
      const params = { state: "all", sort: "created", direction: "desc", since };
      return this.github.list(path, { params, limit });
    },
    async take(newestFirst) {
      for (const issue of [...newestFirst].reverse()) {
        if (issue.pull_request) continue;
        this.$emit(issue, {
          id: issue.number,
          summary: `New issue #${issue.number}: ${issue.title}`,
          ts: Date.parse(issue.created_at),
        });
      }
      if (newestFirst.length) await this.db.set("since", newestFirst[0].created_at);
    },
  },
  async run() {
    const since = await this.db.get("since");
    const issues = await this.issues({ since, limit: since ? POLL_ITEMS_MAX : HISTORY_ITEMS });
    // `since` goes by the last change: older issues come back whenever they are touched.
    await this.take(issues.filter((it) => !since || it.created_at >= since));
  },
  sampleEmit: {
    id: 8001,
    number: 1,
    title: "The third wheel sticks",
    body: "Oil does not help.",
    state: "open",
    user: { login: "grace" },
    html_url: "https://github.com/ada/engine/issues/1",
    created_at: "2025-11-20T09:00:00Z",
  },
};
