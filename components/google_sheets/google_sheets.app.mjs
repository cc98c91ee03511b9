import { axios, ConfigurationError } from "@grantkeep/runtime";

const SHEETS = "https://sheets.googleapis.com/v4/spreadsheets";
const FILES = "https://www.googleapis.com/drive/v3/files";
const MIME = "application/vnd.google-apps.spreadsheet";
const MY_COLUMN_DATA = {
  type: "string[]",
  label: "Values",
  description: "The values of the row, from the first column on.",
};

function explained(error) {
  const { status, headers, data } = error.response ?? {};
  if (!status) return error;
  const said = data?.error?.message ?? "no reason given";
  if (status === 401) {
    const text = `Google no longer accepts this connection (${said}). Reconnect the account.`;
    return Object.assign(new ConfigurationError(text), { status });
  }
  if (status === 429) {
    const wait = headers?.["retry-after"] ?? "60";
    const text = `Google Sheets takes no more calls for now. Try again in ${wait} s.`;
    return Object.assign(new Error(text), { status });
  }
  return Object.assign(new Error(`Google Sheets answered ${status}: ${said}`), { status });
}

export default {
  type: "app",
  app: "google_sheets",
  propDefinitions: {
    sheetId: {
      type: "string",
      label: "Spreadsheet",
      description: "The spreadsheet: choose it, or give the part of its address after `/d/`.",
      useQuery: true,
      async options({ prevContext, query }) {
        if (prevContext?.pageToken === null) return [];
        const { files, nextPageToken } = await this.findSpreadsheets(query, prevContext?.pageToken);
        const options = files.map((it) => ({ label: it.name, value: it.id }));
        return { options, context: { pageToken: nextPageToken ?? null } };
      },
    },
    worksheetId: {
      type: "string",
      label: "Worksheet",
      description: "The sheet inside the spreadsheet.",
      async options({ sheetId, page }) {
        if (!sheetId || page > 0) return [];
        const { sheets } = await this.spreadsheet(sheetId);
        return sheets.map(({ properties: it }) => ({ label: it.title, value: `${it.sheetId}` }));
      },
    },
    hasHeaders: {
      type: "boolean",
      label: "First row has headers",
      description: "Whether the first row names the columns. Each column is then asked for alone.",
    },
    row: {
      type: "integer",
      label: "Row number",
      description: "Counted from 1, the row of headers too.",
      min: 1,
    },
  },
  methods: {
    async request(url, { $ = this, ...config } = {}) {
      const headers = { Authorization: `Bearer ${this.$auth.oauth_access_token}` };
      try {
        return await axios($, { url, headers, ...config });
      } catch (error) {
        throw explained(error);
      }
    },
    async findSpreadsheets(query, pageToken) {
      const word = query?.replace(/[\\']/g, "\\$&");
      const named = word ? ` and name contains '${word}'` : "";
      const q = `mimeType = '${MIME}' and trashed = false${named}`;
      const params = { q, pageToken, pageSize: 100, fields: "nextPageToken,files(id,name)" };
      return this.request(FILES, { params });
    },
    async spreadsheet(sheetId, { $ } = {}) {
      const params = { fields: "spreadsheetId,properties.title,sheets.properties" };
      return this.request(`${SHEETS}/${encodeURIComponent(sheetId)}`, { $, params });
    },
    async create($, data) {
      return this.request(SHEETS, { $, method: "POST", data });
    },
    /** The name of a worksheet as ranges have it, quoted. */
    async title(sheetId, worksheetId, { $ } = {}) {
      const { sheets } = await this.spreadsheet(sheetId, { $ });
      const found = sheets.find(({ properties: it }) => `${it.sheetId}` === `${worksheetId}`);
      if (!found) {
        const names = sheets.map(({ properties: it }) => `${it.title} (${it.sheetId})`).join(", ");
        throw new ConfigurationError(
          `The spreadsheet has no worksheet ${worksheetId}. It has: ${names}.`,
        );
      }
      return `'${found.properties.title.replaceAll("'", "''")}'`;
    },
    valuesUrl(sheetId, range) {
      return `${SHEETS}/${encodeURIComponent(sheetId)}/values/${encodeURIComponent(range)}`;
    },
    async values(sheetId, range, { $ } = {}) {
      return (await this.request(this.valuesUrl(sheetId, range), { $ })).values ?? [];
    },
    async append(sheetId, range, row, { $ } = {}) {
      return this.request(`${this.valuesUrl(sheetId, range)}:append`, {
        $,
        method: "POST",
        params: { valueInputOption: "USER_ENTERED", insertDataOption: "INSERT_ROWS" },
        data: { values: [row] },
      });
    },
    async update(sheetId, range, row, { $ } = {}) {
      return this.request(this.valuesUrl(sheetId, range), {
        $,
        method: "PUT",
        params: { valueInputOption: "USER_ENTERED" },
        data: { values: [row] },
      });
    },
    /** A prop for each column that has a header: `col_0000`, `col_0001` ... */
    async columnProps({ sheetId, worksheetId, hasHeaders }) {
      if (hasHeaders === undefined || !sheetId || worksheetId === undefined) return {};
      if (!hasHeaders) return { myColumnData: MY_COLUMN_DATA };
      const title = await this.title(sheetId, worksheetId);
      const [headers = []] = await this.values(sheetId, `${title}!1:1`);
      if (!headers.length) {
        throw new ConfigurationError(
          "The first row of the worksheet is empty. Write headers there, or say it has none.",
        );
      }
      return Object.fromEntries(headers.map((label, at) => [columnName(at), {
        type: "string",
        label: `${label || `Column ${at + 1}`}`,
        description: `What goes into the column "${label || at + 1}".`,
        optional: true,
      }]));
    },
    /** The cells that were given; `null` where none was, which leaves a cell as it is. */
    cells(component) {
      if (!component.hasHeaders) {
        const given = component.myColumnData;
        const row = typeof given === "string" ? parsed(given) : given;
        if (!Array.isArray(row) || !row.length) {
          throw new ConfigurationError("Give the values of the row as a list.");
        }
        return row;
      }
      const names = Object.keys(component).filter((it) => /^col_\d{4}$/.test(it)).sort();
      const row = [];
      for (const name of names) {
        const value = component[name];
        if (value !== undefined) row[Number(name.slice(4))] = value;
      }
      if (!row.length) throw new ConfigurationError("Give a value for one column at least.");
      return Array.from(row, (it) => it ?? null);
    },
    /** A row as an object, its members named by the headers. */
    named(headers, row) {
      return Object.fromEntries(
        headers.map((name, at) => [name || `Column ${at + 1}`, row[at] ?? null]),
      );
    },
  },
};

function columnName(at) {
  return `col_${String(at).padStart(4, "0")}`;
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return text.split(",").map((it) => it.trim());
  }
}
