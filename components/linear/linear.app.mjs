import { axios, ConfigurationError } from "@grantkeep/runtime";

const PAGE_ITEMS = 50;
const ISSUE = `id identifier title description priority url createdAt updatedAt
  state { id name } team { id name key } assignee { id name email }`;

/** Linear says what went wrong in the list `errors`, whatever the status. */
function failure(errors, status, headers) {
  const [{ message, extensions } = {}] = errors;
  const said = extensions?.userPresentableMessage ?? message ?? "no reason given";
  if (status === 401 || extensions?.code === "AUTHENTICATION_ERROR") {
    const text = `Linear no longer accepts this connection (${said}). Reconnect the account.`;
    return Object.assign(new ConfigurationError(text), { status: 401 });
  }
  if (status === 429 || extensions?.code === "RATELIMITED") {
    const wait = headers?.["retry-after"] ?? "3600";
    const text = `Linear takes no more calls for now. Try again in ${wait} s.`;
    return Object.assign(new Error(text), { status: 429 });
  }
  return Object.assign(new Error(`Linear refused: ${said}`), { status });
}

export default {
  type: "app",
  app: "linear",
  propDefinitions: {
    teamId: {
      type: "string",
      label: "Team",
      description: "The team whose issues are meant.",
      async options({ prevContext }) {
        return this.choices("teams", prevContext);
      },
    },
    assigneeId: {
      type: "string",
      label: "Assignee",
      description: "Who shall take care.",
      optional: true,
      async options({ prevContext }) {
        return this.choices("users", prevContext);
      },
    },
    projectId: {
      type: "string",
      label: "Project",
      description: "The project that the issue belongs to.",
      optional: true,
      async options({ prevContext }) {
        return this.choices("projects", prevContext);
      },
    },
  },
  methods: {
    async graphql(query, variables, { $ = this } = {}) {
      let answer;
      try {
        answer = await axios($, {
          method: "POST",
          url: "https://api.linear.app/graphql",
          headers: { Authorization: `Bearer ${this.$auth.oauth_access_token}` },
          data: { query, variables },
        });
      } catch (error) {
        const { status, headers, data } = error.response ?? {};
        if (!status) throw error;
        throw failure(data?.errors ?? [{ message: `status ${status}` }], status, headers);
      }
      if (answer.errors?.length) throw failure(answer.errors, 200);
      return answer.data;
    },
    /** One page of teams, users or projects, as options. */
    async choices(list, prevContext) {
      if (prevContext?.after === null) return [];
      const query = `query($first: Int, $after: String) {
        ${list}(first: $first, after: $after) {
          nodes { id name } pageInfo { hasNextPage endCursor }
        }
      }`;
      const variables = { first: PAGE_ITEMS, after: prevContext?.after };
      const { nodes, pageInfo } = (await this.graphql(query, variables))[list];
      const options = nodes.map((it) => ({ label: it.name, value: it.id }));
      return { options, context: { after: pageInfo.hasNextPage ? pageInfo.endCursor : null } };
    },
    async createIssue($, input) {
      const query = `mutation($input: IssueCreateInput!) {
        issueCreate(input: $input) { success issue { ${ISSUE} } }
      }`;
      return (await this.graphql(query, { input }, { $ })).issueCreate.issue;
    },
    /** Pages of `issues` or `searchIssues` up to `limit`. */
    async pages(list, query, variables, { $, limit }) {
      const found = [];
      let after;
      do {
        const first = Math.min(limit - found.length, PAGE_ITEMS);
        const page = (await this.graphql(query, { ...variables, first, after }, { $ }))[list];
        found.push(...page.nodes);
        after = page.pageInfo.hasNextPage ? page.pageInfo.endCursor : undefined;
      } while (after && found.length < limit);
      return found;
    },
    async searchIssues($, term, limit) {
      const query = `query($term: String!, $first: Int, $after: String) {
        searchIssues(term: $term, first: $first, after: $after) {
          nodes { ${ISSUE} } pageInfo { hasNextPage endCursor }
        }
      }`;
      return this.pages("searchIssues", query, { term }, { $, limit });
    },
    /** The newest first. */
    async newestIssues({ teamId, since, limit }) {
      const query = `query($filter: IssueFilter, $first: Int, $after: String) {
        issues(filter: $filter, first: $first, after: $after, orderBy: createdAt) {
          nodes { ${ISSUE} } pageInfo { hasNextPage endCursor }
        }
      }`;
      const filter = {
        ...(teamId && { team: { id: { eq: teamId } } }),
        ...(since && { createdAt: { gte: since } }),
      };
      return this.pages("issues", query, { filter }, { limit });
    },
  },
};
