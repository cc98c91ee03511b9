import slack from "../../slack.app.mjs";

export default {
  key: "slack-find-user-by-email",
  name: "Find User by Email",
  description: "Finds somebody of the workspace by mail address; nothing when nobody has it. "
    + "[Slack's documentation](https://docs.slack.dev/reference/methods/users.lookupByEmail)",
  version: "0.1.0",
  type: "action",
  annotations: { destructiveHint: false, openWorldHint: true, readOnlyHint: true },
  props: {
    slack,
    email: { type: "string", label: "Email", description: "The whole mail address." },
  },
  async run({ $ }) {
    try {
      const params = { email: this.email };
      const { user } = await this.slack.call("users.lookupByEmail", { $, params });
      $.export("$summary", `Found ${user.real_name || user.name}`);
      return user;
    } catch (error) {
      if (error.code !== "users_not_found") throw error;
      $.export("$summary", "Nobody has this mail address");
      return null;
    }
  },
};
