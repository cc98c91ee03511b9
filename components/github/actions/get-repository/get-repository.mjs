import github from "../../github.app.mjs";

export default {
  key: "github-get-repository",
  name: "Get Repository",
  description: "Gives what GitHub knows about a repository. "
    + "[GitHub's documentation](https://docs.github.com/en/rest/repos/repos#get-a-repository)",
  version: "0.1.0",
  type: "action",
  annotations: { destructiveHint: false, openWorldHint: true, readOnlyHint: true },
  props: {
    github,
    repoFullname: { propDefinition: [github, "repoFullname"] },
  },
  async run({ $ }) {
    const repo = await this.github.request(this.github.repo(this.repoFullname), { $ });
    $.export("$summary", `Found ${repo.full_name}`);
    return repo;
  },
};
