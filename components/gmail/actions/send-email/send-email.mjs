import gmail from "../../gmail.app.mjs";

export default {
  key: "gmail-send-email",
  name: "Send Email",
  description: "Sends a mail from the account. "
    + "[Google's documentation](https://developers.google.com/workspace/gmail/api/guides/sending)",
  version: "0.1.0",
  type: "action",
  annotations: { destructiveHint: false, openWorldHint: true, readOnlyHint: false },
  props: {
    gmail,
    to: { type: "string[]", label: "To", description: "Mail addresses of the recipients." },
    cc: { type: "string[]", label: "Cc", description: "Who gets a copy.", optional: true },
    bcc: {
      type: "string[]",
      label: "Bcc",
      description: "Who gets a copy that the others do not know of.",
      optional: true,
    },
    subject: { type: "string", label: "Subject", description: "One line." },
    body: { type: "string", label: "Body", description: "The text of the mail." },
    bodyType: {
      type: "string",
      label: "Kind of body",
      description: "How the text is written.",
      options: [{ label: "Plain text", value: "plaintext" }, { label: "HTML", value: "html" }],
      optional: true,
      default: "plaintext",
    },
    threadId: {
      type: "string",
      label: "Thread",
      description: "The id of the thread that the mail continues.",
      optional: true,
    },
    inReplyTo: {
      type: "string",
      label: "In reply to",
      description: "The `Message-ID` of the mail that is answered.",
      optional: true,
    },
  },
  async run({ $ }) {
    const { to, cc, bcc, subject = "", body = "", inReplyTo, threadId } = this;
    const html = this.bodyType === "html";
    const raw = this.gmail.raw({ to, cc, bcc, subject, body, html, inReplyTo });
    const data = { raw, threadId };
    const sent = await this.gmail.request("/messages/send", { $, method: "POST", data });
    $.export("$summary", `Sent "${subject}" to ${[to].flat().join(", ")}`);
    return sent;
  },
};
