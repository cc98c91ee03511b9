import http from "../../http.app.mjs";

export default {
  key: "http-request",
  name: "Send HTTP Request",
  description: "Sends a request to any address, signed with an account of any app if you like. "
    + "Gives the status, the headers and the body of the answer.",
  version: "0.1.0",
  type: "action",
  annotations: { destructiveHint: true, openWorldHint: true, readOnlyHint: false },
  props: {
    appSlug: { propDefinition: [http, "appSlug"], reloadProps: true },
    method: { propDefinition: [http, "method"] },
    url: { propDefinition: [http, "url"] },
    params: { propDefinition: [http, "params"] },
    headers: { propDefinition: [http, "headers"] },
    body: { propDefinition: [http, "body"] },
    failOnError: {
      type: "boolean",
      label: "Fail on an error status",
      description: "Whether a status of 400 or more fails the run. Otherwise it is in the result.",
      optional: true,
      default: true,
    },
  },
  async additionalProps() {
    return http.methods.accountProps(this.appSlug);
  },
  async run({ $ }) {
    const { method = "GET", url, params, headers, body } = this;
    const asked = { method, url, params, headers, body };
    const answer = await http.methods.send($, asked, this.account?.$auth);
    const { status } = answer;
    if (status >= 400 && this.failOnError !== false) {
      const said = typeof answer.data === "string" ? answer.data : JSON.stringify(answer.data);
      const error = new Error(`${new URL(url).host} answered ${status}: ${said.slice(0, 500)}`);
      throw Object.assign(error, { status });
    }
    $.export("$summary", `${method} ${new URL(url).host} answered ${status}`);
    return { status, headers: { ...answer.headers }, body: answer.data };
  },
};
