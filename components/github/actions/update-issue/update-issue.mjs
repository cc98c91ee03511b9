import { ConfigurationError } from "@grantkeep/runtime";
import github from "../../github.app.mjs";

const inRepo = (it) => ({ repoFullname: it.repoFullname });

export default {
  key: "github-update-issue",
  name: "Update Issue",
  description: "Changes, closes or reopens an issue. What you leave empty stays as it is. "
    + "[GitHub's documentation](https://docs.github.com/en/rest/issues/issues#update-an-issue)",
  version: "0.1.0",
  type: "action",
  annotations: { destructiveHint: true, openWorldHint: true, readOnlyHint: false },
  props: {
    github,
    repoFullname: { propDefinition: [github, "repoFullname"] },
    issueNumber: { propDefinition: [github, "issueNumber", inRepo] },
    title: { propDefinition: [github, "title"], optional: true },
    body: { propDefinition: [github, "body"] },
    state: {
      type: "string",
      label: "State",
      description: "Whether the issue is open.",
      options: ["open", "closed"],
      optional: true,
    },
    labels: {
      propDefinition: [github, "labels", inRepo],
      description: "All labels that the issue shall have; an empty list takes them away.",
    },
    assignees: { propDefinition: [github, "assignees", inRepo] },
  },
  async run({ $ }) {
    const { title, body, state, labels, assignees } = this;
    const data = { title, body, state, labels, assignees };
    if (Object.values(data).every((it) => it === undefined)) {
      throw new ConfigurationError("Nothing to change: give a title, a body, a state or a list.");
    }
    const path = `${this.github.repo(this.repoFullname)}/issues/${this.issueNumber}`;
    const issue = await this.github.request(path, { $, method: "PATCH", data });
    $.export("$summary", `Changed issue #${issue.number}`);
    return issue;
  },
};
