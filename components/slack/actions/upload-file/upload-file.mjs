import { basename } from "node:path";
import { buffer } from "node:stream/consumers";
import { axios, ConfigurationError, getFileStreamAndMetadata } from "@grantkeep/runtime";
import slack from "../../slack.app.mjs";

const FILE_BYTES_MAX = 50 * 1024 * 1024;

export default {
  key: "slack-upload-file",
  name: "Upload File",
  description: "Uploads a file and shares it in a channel. "
    + "[Slack's documentation](https://docs.slack.dev/messaging/working-with-files)",
  version: "0.1.0",
  type: "action",
  annotations: { destructiveHint: false, openWorldHint: true, readOnlyHint: false },
  props: {
    slack,
    channel: { propDefinition: [slack, "channel"] },
    content: {
      type: "string",
      format: "file-ref",
      label: "File",
      description: "An address, or the path of a file in `/tmp`.",
    },
    filename: {
      type: "string",
      label: "File name",
      description: "As people see it. Empty: the file's own name.",
      optional: true,
    },
    initialComment: {
      type: "string",
      label: "Comment",
      description: "The message that goes with the file.",
      optional: true,
    },
  },
  async run({ $ }) {
    const { stream, metadata } = await getFileStreamAndMetadata(this.content);
    const bytes = await buffer(stream);
    if (bytes.length === 0) throw new ConfigurationError("The file is empty.");
    if (bytes.length > FILE_BYTES_MAX) throw new ConfigurationError("The file exceeds 50 MB.");
    const filename = this.filename || metadata.name || basename(this.content);
    const params = { filename, length: bytes.length };
    const place = await this.slack.call("files.getUploadURLExternal", { $, params });
    await axios($, {
      method: "POST",
      url: place.upload_url,
      headers: { "Content-Type": "application/octet-stream" },
      data: bytes,
      responseType: "text",
    });
    const data = {
      files: [{ id: place.file_id, title: filename }],
      channel_id: this.channel,
      initial_comment: this.initialComment,
    };
    const answer = await this.slack.call("files.completeUploadExternal", { $, data });
    $.export("$summary", `Uploaded ${filename}`);
    return answer.files[0];
  },
};
