import github from "../../github.app.mjs";

export default {
  key: "github-create-issue-comment",
  name: "Create Issue Comment",
  description: "Comments on an issue or pull request. "
    + "[GitHub's documentation](https://docs.github.com/en/rest/issues/comments)",
  version: "0.1.0",
  type: "action",
  annotations: { destructiveHint: false, openWorldHint: true, readOnlyHint: false },
  props: {
    github,
    repoFullname: { propDefinition: [github, "repoFullname"] },
    issueNumber: {
      propDefinition: [github, "issueNumber", (it) => ({ repoFullname: it.repoFullname })],
    },
    body: { propDefinition: [github, "body"], optional: false },
  },
  async run({ $ }) {
    const path = `${this.github.repo(this.repoFullname)}/issues/${this.issueNumber}/comments`;
    const data = { body: this.body };
    const comment = await this.github.request(path, { $, method: "POST", data });
    $.export("$summary", `Commented on #${this.issueNumber}`);
    return comment;
  },
};
