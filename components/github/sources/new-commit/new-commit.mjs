import { DEFAULT_POLLING_SOURCE_TIMER_INTERVAL } from "@grantkeep/runtime";
import github from "../../github.app.mjs";

const HISTORY_ITEMS = 5;

export default {
  key: "github-new-commit",
  name: "New Commit",
  description: "Emits an event for each commit on a branch.",
  version: "0.1.0",
  type: "source",
  dedupe: "unique",
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
      await this.take(await this.newest());
    },
  },
  methods: {
    async mainBranch() {
      const repo = await this.github.request(this.github.repo(this.repoFullname));
      return repo.default_branch;
    },
    /** A few commits, the oldest first. */
    async newest() {
      const path = `${this.github.repo(this.repoFullname)}/commits`;
      const params = { sha: this.branch || (await this.mainBranch()) };
      return (await this.github.list(path, { params, limit: HISTORY_ITEMS })).reverse();
    },
    /** What the branch has that it had not last time, the oldest first. */
    async since(sha) {
      const branch = encodeURIComponent(this.branch || (await this.mainBranch()));
      const path = `${this.github.repo(this.repoFullname)}/compare/${sha}...${branch}`;
      try {
        return (await this.github.request(path)).commits;
      } catch (error) {
        // The commit is gone: somebody has rewritten the branch.
        if (error.status === 404) return this.newest();
        throw error;
      }
    },
    async take(commits) {
      for (const commit of commits) {
        this.$emit(commit, {
          id: commit.sha,
          summary: `New commit: ${commit.commit.message.split("\n")[0].slice(0, 80)}`,
          ts: Date.parse(commit.commit.committer.date),
        });
      }
      if (commits.length) await this.db.set("sha", commits.at(-1).sha);
    },
  },
  async run() {
    const sha = await this.db.get("sha");
    await this.take(await (sha ? this.since(sha) : this.newest()));
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
