import notion from "../../notion.app.mjs";

const BLOCKS_MAX = 100;

export default {
  key: "notion-create-page",
  name: "Create Page in Database",
  description: "Adds a page to a database, with a value for each property. "
    + "[Notion's documentation](https://developers.notion.com/reference/post-page)",
  version: "0.1.0",
  type: "action",
  annotations: { destructiveHint: false, openWorldHint: true, readOnlyHint: false },
  props: {
    notion,
    databaseId: { propDefinition: [notion, "databaseId"], reloadProps: true },
    content: { propDefinition: [notion, "content"] },
  },
  async additionalProps() {
    if (!this.databaseId) return {};
    return this.notion.propsOf(await this.notion.database(this.databaseId));
  },
  async run({ $ }) {
    const database = await this.notion.database(this.databaseId, { $ });
    const blocks = this.notion.blocks(this.content);
    const page = await this.notion.request("/pages", {
      $,
      method: "POST",
      data: {
        parent: { database_id: this.databaseId },
        properties: this.notion.propertiesFrom(this, database),
        children: blocks.slice(0, BLOCKS_MAX),
      },
    });
    for (let at = BLOCKS_MAX; at < blocks.length; at += BLOCKS_MAX) {
      const data = { children: blocks.slice(at, at + BLOCKS_MAX) };
      await this.notion.request(`/blocks/${page.id}/children`, { $, method: "PATCH", data });
    }
    $.export("$summary", `Created the page ${this.notion.titleOf(page)}`);
    return page;
  },
};
