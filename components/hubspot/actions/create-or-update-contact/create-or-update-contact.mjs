import { ConfigurationError } from "@grantkeep/runtime";
import hubspot from "../../hubspot.app.mjs";

const CONTACTS = "/crm/v3/objects/contacts";

export default {
  key: "hubspot-create-or-update-contact",
  name: "Create or Update Contact",
  description: "Changes the contact that has the mail address, or creates it. "
    + "[HubSpot's documentation](https://developers.hubspot.com/docs/guides/crm/contacts)",
  version: "0.1.0",
  type: "action",
  annotations: { destructiveHint: true, openWorldHint: true, readOnlyHint: false },
  props: {
    hubspot,
    email: {
      type: "string",
      label: "Email",
      description: "The mail address, by which the contact is found.",
    },
    firstname: {
      type: "string",
      label: "First name",
      description: "The given name.",
      optional: true,
    },
    lastname: {
      type: "string",
      label: "Last name",
      description: "The family name.",
      optional: true,
    },
    phone: { type: "string", label: "Phone", description: "The phone number.", optional: true },
    company: { type: "string", label: "Company", description: "Where they work.", optional: true },
    additionalProperties: {
      type: "object",
      label: "More properties",
      description: "Internal names of properties and their values.",
      optional: true,
    },
  },
  async run({ $ }) {
    const email = this.email?.trim();
    if (!email?.includes("@")) {
      throw new ConfigurationError(`"${this.email}" is not a mail address.`);
    }
    const { firstname, lastname, phone, company } = this;
    const properties = {
      email, firstname, lastname, phone, company, ...this.additionalProperties,
    };
    const given = Object.entries(properties).filter(([, it]) => it !== undefined && it !== "");
    const data = { properties: Object.fromEntries(given) };
    const { contact, deed } = await this.write($, email, data);
    $.export("$summary", `${deed} the contact ${this.hubspot.nameOf(contact)}`);
    return contact;
  },
  methods: {
    async write($, email, data) {
      const path = `${CONTACTS}/${encodeURIComponent(email)}`;
      const params = { idProperty: "email" };
      try {
        const contact = await this.hubspot.request(path, { $, method: "PATCH", params, data });
        return { contact, deed: "Changed" };
      } catch (error) {
        if (error.status !== 404) throw error;
      }
      const contact = await this.hubspot.request(CONTACTS, { $, method: "POST", data });
      return { contact, deed: "Created" };
    },
  },
};
