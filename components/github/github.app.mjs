import { axios, ConfigurationError } from "@grantkeep/runtime";

const PAGE_ITEMS = 100;

function explained(error) {
  const { status, headers, data } = error.response ?? {};
  if (!status) return error;
  const details = (data?.errors ?? [])
    .map((it) => it.message ?? `${it.field} is ${it.code}`).join("; ");
  const said = [data?.message ?? "no reason given", details].filter(Boolean).join(": ");
  if (status === 401) {
    const text = `GitHub no longer accepts this connection (${said}). Reconnect the account.`;
    return Object.assign(new ConfigurationError(text), { status });
  }
  const spent = status === 403 && headers?.["x-ratelimit-remaining"] === "0";
  if (status === 429 || spent) {
    const wait = headers?.["retry-after"];
    const text = `GitHub takes no more calls for now. Try again in ${wait ?? "a few"} s.`;
    return Object.assign(new Error(text), { status });
  }
  const hint = status === 404 ? " (or the account may not see it)" : "";
  return Object.assign(new Error(`GitHub answered ${status}: ${said}${hint}`), { status });
}

export default {
  type: "app",
  app: "github",
  propDefinitions: {
    repoFullname: {
      type: "string",
      label: "Repository",
      description: "The owner and the name, such as `octocat/hello-world`.",
      async options({ page }) {
        const repos = await this.page("/user/repos", page, { sort: "updated" });
        return repos.map((it) => it.full_name);
      },
    },
    issueNumber: {
      type: "integer",
      label: "Issue",
      description: "The number of an issue or pull request.",
      async options({ page, repoFullname }) {
        if (!repoFullname) return [];
        const issues = await this.page(`/repos/${repoFullname}/issues`, page, { state: "all" });
        return issues.map((it) => ({ label: `#${it.number} ${it.title}`, value: it.number }));
      },
    },
    branch: {
      type: "string",
      label: "Branch",
      description: "A branch of the repository.",
      async options({ page, repoFullname }) {
        if (!repoFullname) return [];
        const branches = await this.page(`/repos/${repoFullname}/branches`, page);
        return branches.map((it) => it.name);
      },
    },
    title: { type: "string", label: "Title", description: "One line that says what it is about." },
    body: {
      type: "string",
      label: "Body",
      description: "The text, in Markdown.",
      optional: true,
    },
    labels: {
      type: "string[]",
      label: "Labels",
      description: "Labels of the repository.",
      optional: true,
      async options({ page, repoFullname }) {
        if (!repoFullname) return [];
        const labels = await this.page(`/repos/${repoFullname}/labels`, page);
        return labels.map((it) => it.name);
      },
    },
    assignees: {
      type: "string[]",
      label: "Assignees",
      description: "The logins of those who shall take care.",
      optional: true,
      async options({ page, repoFullname }) {
        if (!repoFullname) return [];
        const people = await this.page(`/repos/${repoFullname}/assignees`, page);
        return people.map((it) => it.login);
      },
    },
    limit: {
      type: "integer",
      label: "Limit",
      description: "The most that is returned.",
      optional: true,
      min: 1,
      max: 1000,
      default: 100,
    },
  },
  methods: {
    async request(path, { $ = this, headers, ...config } = {}) {
      try {
        return await axios($, {
          url: path.startsWith("https://") ? path : `https://api.github.com${path}`,
          headers: {
            "Accept": "application/vnd.github+json",
            "Authorization": `Bearer ${this.$auth.oauth_access_token}`,
            "User-Agent": "grantkeep",
            "X-GitHub-Api-Version": "2022-11-28",
            ...headers,
          },
          ...config,
        });
      } catch (error) {
        throw explained(error);
      }
    },
    /** `owner/name`, checked and made fit for a path. */
    repo(fullName) {
      const parts = String(fullName ?? "").split("/");
      if (parts.length !== 2 || parts.some((it) => !/^(?!\.{1,2}$)[\w.-]+$/.test(it))) {
        throw new ConfigurationError(
          `"${fullName}" is not a repository. Write owner/name, such as octocat/hello-world.`,
        );
      }
      return `/repos/${parts.join("/")}`;
    },
    /** One page of a list; `page` is counted from 0. */
    async page(path, page = 0, params = {}) {
      return this.request(path, { params: { ...params, page: page + 1, per_page: PAGE_ITEMS } });
    },
    /** A list from its first page on, as far as `limit`, along the links that GitHub gives. */
    async list(path, { $, params, limit = PAGE_ITEMS }) {
      const found = [];
      let config = { $, params: { ...params, per_page: Math.min(limit, PAGE_ITEMS) } };
      let next = path;
      while (next && found.length < limit) {
        const answer = await this.request(next, { ...config, returnFullResponse: true });
        found.push(...answer.data);
        next = /<([^>]+)>;\s*rel="next"/.exec(answer.headers?.link ?? "")?.[1];
        config = { $ };
      }
      return found.slice(0, limit);
    },
  },
};
