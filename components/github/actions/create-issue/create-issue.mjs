import github from "../../github.app.mjs";

const inRepo = (it) => ({ repoFullname: it.repoFullname });

export default {
  key: "github-create-issue",
  name: "Create Issue",
  description: "Opens an issue in a repository. "
    + "[GitHub's documentation](https://docs.github.com/en/rest/issues/issues#create-an-issue)",
  version: "0.1.0",
  type: "action",
  annotations: { destructiveHint: false, openWorldHint: true, readOnlyHint: false },
  props: {
    github,
    repoFullname: { propDefinition: [github, "repoFullname"] },
    title: { propDefinition: [github, "title"] },
    body: { propDefinition: [github, "body"] },
    labels: { propDefinition: [github, "labels", inRepo] },
    assignees: { propDefinition: [github, "assignees", inRepo] },
  },
  async run({ $ }) {
    const issue = await this.github.request(`${this.github.repo(this.repoFullname)}/issues`, {
      $,
      method: "POST",
      data: {
        title: this.title,
        body: this.body,
        labels: this.labels,
        assignees: this.assignees,
      },
    });
    $.export("$summary", `Opened issue #${issue.number}`);
    return issue;
  },
};
