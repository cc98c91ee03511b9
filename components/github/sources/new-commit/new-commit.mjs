import { DEFAULT_POLLING_SOURCE_TIMER_INTERVAL } from "@grantkeep/runtime";
import github from "../../github.app.mjs";

const HISTORY_ITEMS = 5;
const POLL_ITEMS_MAX = 500;

export default {
  key: "github-new-commit",
  name: "New Commit",
  description: "Emits an event for each commit on a branch.",
  version: "0.1.0",
  type: "source",
  dedupe: "last",
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
    branch: {
      propDefinition: [github, "branch", (it) => ({ repoFullname: it.repoFullname })],
      description: "The branch to watch. Empty: the repository's main one.",
      optional: true,
    },
  },
  hooks: {
    async deploy() {
      await this.take(await this.commits({ limit: HISTORY_ITEMS }));
    },
  },
  methods: {
    async commits({ limit, since }) {
      const path = `${this.github.repo(this.repoFullname)}/commits`;
      const sha = this.branch || (await this.mainBranch());
      return this.github.list(path, { params: { sha, since }, limit });
    },
    async mainBranch() {
      const repo = await this.github.request(this.github.repo(this.repoFullname));
      return repo.default_branch;
    },
    async take(newestFirst) {
      for (const commit of [...newestFirst].reverse()) {
        this.$emit(commit, {
          id: commit.sha,
          summary: `New commit: ${commit.commit.message.split("\n")[0].slice(0, 80)}`,
          ts: Date.parse(commit.commit.committer.date),
        });
      }
      if (newestFirst.length) {
        await this.db.set("since", newestFirst[0].commit.committer.date);
      }
    },
  },
  async run() {
    const since = await this.db.get("since");
    await this.take(await this.commits({ since, limit: since ? POLL_ITEMS_MAX : HISTORY_ITEMS }));
  },
  sampleEmit: {
    sha: "2222222222222222222222222222222222222222",
    html_url: "https://github.com/ada/engine/commit/2222222222222222222222222222222222222222",
    author: { login: "grace" },
    commit: {
      message: "Add a second wheel",
      author: { name: "Grace Hopper", email: "grace@example.com", date: "2025-11-20T09:00:00Z" },
      committer: { name: "Grace Hopper", email: "grace@example.com", date: "2025-11-20T09:00:00Z" },
    },
  },
};
