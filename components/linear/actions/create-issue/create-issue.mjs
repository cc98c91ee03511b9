import { ConfigurationError } from "@grantkeep/runtime";
import linear from "../../linear.app.mjs";

export default {
  key: "linear-create-issue",
  name: "Create Issue",
  description: "Creates an issue in a team. "
    + "[Linear's documentation](https://linear.app/developers/graphql)",
  version: "0.1.0",
  type: "action",
  annotations: { destructiveHint: false, openWorldHint: true, readOnlyHint: false },
  props: {
    linear,
    teamId: { propDefinition: [linear, "teamId"] },
    title: { type: "string", label: "Title", description: "One line that says what it is about." },
    description: {
      type: "string",
      label: "Description",
      description: "The text, in Markdown.",
      optional: true,
    },
    assigneeId: { propDefinition: [linear, "assigneeId"] },
    projectId: { propDefinition: [linear, "projectId"] },
    priority: {
      type: "integer",
      label: "Priority",
      description: "How urgent it is.",
      options: [
        { label: "None", value: 0 },
        { label: "Urgent", value: 1 },
        { label: "High", value: 2 },
        { label: "Medium", value: 3 },
        { label: "Low", value: 4 },
      ],
      optional: true,
    },
  },
  async run({ $ }) {
    if (!this.title?.trim()) throw new ConfigurationError("Give the issue a title.");
    const { teamId, title, description, assigneeId, projectId, priority } = this;
    const input = { teamId, title, description, assigneeId, projectId, priority };
    const issue = await this.linear.createIssue($, input);
    $.export("$summary", `Created ${issue.identifier}: ${issue.title}`);
    return issue;
  },
};
