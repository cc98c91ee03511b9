import { ConfigurationError } from "@grantkeep/runtime";
import notion from "../../notion.app.mjs";

const BLOCKS_MAX = 100;

export default {
  key: "notion-append-block",
  name: "Append Block to Page",
  description: "Writes text at the end of a page. "
    + "[Notion's documentation](https://developers.notion.com/reference/patch-block-children)",
  version: "0.1.0",
  type: "action",
  annotations: { destructiveHint: false, openWorldHint: true, readOnlyHint: false },
  props: {
    notion,
    pageId: { propDefinition: [notion, "pageId"] },
    content: { propDefinition: [notion, "content"], optional: false },
    blockType: {
      type: "string",
      label: "Kind of block",
      description: "What each paragraph of the text becomes.",
      options: [
        { label: "Paragraph", value: "paragraph" },
        { label: "Heading", value: "heading_2" },
        { label: "Item of a list", value: "bulleted_list_item" },
        { label: "To do", value: "to_do" },
        { label: "Quote", value: "quote" },
      ],
      optional: true,
      default: "paragraph",
    },
  },
  async run({ $ }) {
    const blocks = this.notion.blocks(this.content, this.blockType);
    if (!blocks.length) throw new ConfigurationError("The content is empty: nothing to write.");
    const path = `/blocks/${encodeURIComponent(this.pageId)}/children`;
    const results = [];
    for (let at = 0; at < blocks.length; at += BLOCKS_MAX) {
      const data = { children: blocks.slice(at, at + BLOCKS_MAX) };
      const answer = await this.notion.request(path, { $, method: "PATCH", data });
      results.push(...answer.results);
    }
    const count = results.length;
    $.export("$summary", `Added ${count} block${count === 1 ? "" : "s"}`);
    return { results };
  },
};
