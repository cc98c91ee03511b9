'use strict';

// The body of a request: from what was given to bytes or a stream, and the content type that goes with it.

const { leaves } = require('./params.cjs');

const JSON_TYPE = 'application/json';
const FORM_TYPE = 'application/x-www-form-urlencoded';

const isStream = (value) => typeof value?.pipe === 'function';
const isView = (value) => ArrayBuffer.isView(value) || value instanceof ArrayBuffer;

/** The header's name as it was given, whatever its case. */
function headerName(headers, name) {
  return Object.keys(headers).find((it) => it.toLowerCase() === name);
}

function setDefault(headers, name, value) {
  const known = headerName(headers, name.toLowerCase());
  if (known === undefined) headers[name] = value;
}

function bytesOf(view) {
  if (Buffer.isBuffer(view)) return view;
  return view instanceof ArrayBuffer ? Buffer.from(view) : Buffer.from(view.buffer, view.byteOffset, view.byteLength);
}

/** A text that is to be JSON is sent as it is if it is JSON, else as a JSON string. */
function jsonText(data) {
  if (typeof data !== 'string') return JSON.stringify(data);
  try {
    JSON.parse(data);
    return data.trim();
  } catch {
    return JSON.stringify(data);
  }
}

async function multipart(form, headers) {
  const answer = new Response(form);
  const known = headerName(headers, 'content-type');
  if (known !== undefined) delete headers[known];
  headers['Content-Type'] = answer.headers.get('content-type');
  return Buffer.from(await answer.arrayBuffer());
}

function formOf(data) {
  const form = new FormData();
  for (const [name, value] of leaves(data, '', [])) form.append(name, value);
  return form;
}

/** `data` as a Buffer or a stream; undefined for none. Completes `headers`. */
async function encodeBody(data, headers) {
  if (data === undefined || data === null) return undefined;
  const type = String(headers[headerName(headers, 'content-type')] ?? '').toLowerCase();
  if (typeof FormData !== 'undefined' && data instanceof FormData) return multipart(data, headers);
  if (typeof data.getHeaders === 'function' && isStream(data)) {
    for (const [name, value] of Object.entries(data.getHeaders())) setDefault(headers, name, value);
    return data;
  }
  if (isStream(data)) return data;
  if (isView(data)) return bytesOf(data);
  if (data instanceof Blob) {
    if (data.type) setDefault(headers, 'Content-Type', data.type);
    return Buffer.from(await data.arrayBuffer());
  }
  if (data instanceof URLSearchParams) {
    setDefault(headers, 'Content-Type', `${FORM_TYPE};charset=utf-8`);
    return Buffer.from(data.toString());
  }
  if (typeof data === 'object') {
    if (type.startsWith(FORM_TYPE)) return Buffer.from(new URLSearchParams(leaves(data, '', [])).toString());
    if (type.startsWith('multipart/form-data')) return multipart(formOf(data), headers);
    setDefault(headers, 'Content-Type', JSON_TYPE);
    return Buffer.from(JSON.stringify(data));
  }
  if (type.startsWith(JSON_TYPE)) return Buffer.from(jsonText(data));
  setDefault(headers, 'Content-Type', FORM_TYPE);
  return Buffer.from(String(data));
}

module.exports = { encodeBody, headerName, isStream, setDefault, FORM_TYPE };
