import notion from "../../notion.app.mjs";

export default {
  key: "notion-retrieve-page",
  name: "Retrieve Page",
  description: "Gives the properties of a page, and its blocks if you like. "
    + "[Notion's documentation](https://developers.notion.com/reference/retrieve-a-page)",
  version: "0.1.0",
  type: "action",
  annotations: { destructiveHint: false, openWorldHint: true, readOnlyHint: true },
  props: {
    notion,
    pageId: { propDefinition: [notion, "pageId"] },
    includeBlocks: {
      type: "boolean",
      label: "Blocks too",
      description: "Whether what stands on the page is returned.",
      optional: true,
      default: false,
    },
  },
  async run({ $ }) {
    const page = await this.notion.request(`/pages/${encodeURIComponent(this.pageId)}`, { $ });
    $.export("$summary", `Found the page ${this.notion.titleOf(page)}`);
    if (!this.includeBlocks) return page;
    return { ...page, blocks: await this.notion.children(page.id, { $ }) };
  },
};
