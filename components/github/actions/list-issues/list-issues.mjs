import github from "../../github.app.mjs";

export default {
  key: "github-list-issues",
  name: "List Issues",
  description: "Lists the issues of a repository, the newest first. "
    + "[GitHub's documentation](https://docs.github.com/en/rest/issues/issues)",
  version: "0.1.0",
  type: "action",
  annotations: { destructiveHint: false, openWorldHint: true, readOnlyHint: true },
  props: {
    github,
    repoFullname: { propDefinition: [github, "repoFullname"] },
    state: {
      type: "string",
      label: "State",
      description: "Which issues.",
      options: ["open", "closed", "all"],
      optional: true,
      default: "open",
    },
    labels: {
      propDefinition: [github, "labels", (it) => ({ repoFullname: it.repoFullname })],
      description: "Only issues that have all of these labels.",
    },
    includePullRequests: {
      type: "boolean",
      label: "Pull requests too",
      description: "GitHub counts pull requests among the issues.",
      optional: true,
      default: false,
    },
    limit: { propDefinition: [github, "limit"] },
  },
  async run({ $ }) {
    const params = { state: this.state ?? "open", labels: this.labels?.join(",") || undefined };
    const path = `${this.github.repo(this.repoFullname)}/issues`;
    const found = await this.github.list(path, { $, params, limit: this.limit ?? 100 });
    const issues = found.filter((it) => this.includePullRequests || !it.pull_request);
    $.export("$summary", `Found ${issues.length} issue${issues.length === 1 ? "" : "s"}`);
    return issues;
  },
};
