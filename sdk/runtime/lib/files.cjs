'use strict';

// Files by path or by address.

const fs = require('node:fs');
const path = require('node:path');
const { randomUUID } = require('node:crypto');
const { Readable } = require('node:stream');
const { pipeline } = require('node:stream/promises');
const { fileURLToPath } = require('node:url');
const { send } = require('./request.cjs');

/** Content types by the end of a name. Others are bytes. */
const TYPES = {
  avif: 'image/avif', bmp: 'image/bmp', css: 'text/css', csv: 'text/csv', doc: 'application/msword',
  docx: 'application/vnd.openxmlformats-officedocument.wordprocessingml.document', gif: 'image/gif', gz: 'application/gzip',
  htm: 'text/html', html: 'text/html', ico: 'image/x-icon', ics: 'text/calendar', jpeg: 'image/jpeg', jpg: 'image/jpeg',
  js: 'text/javascript', json: 'application/json', m4a: 'audio/mp4', md: 'text/markdown', mjs: 'text/javascript',
  mov: 'video/quicktime', mp3: 'audio/mpeg', mp4: 'video/mp4', ogg: 'audio/ogg', pdf: 'application/pdf', png: 'image/png',
  ppt: 'application/vnd.ms-powerpoint', pptx: 'application/vnd.openxmlformats-officedocument.presentationml.presentation',
  rtf: 'application/rtf', svg: 'image/svg+xml', tar: 'application/x-tar', tif: 'image/tiff', tiff: 'image/tiff', txt: 'text/plain',
  wav: 'audio/wav', webm: 'video/webm', webp: 'image/webp', xls: 'application/vnd.ms-excel',
  xlsx: 'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet', xml: 'application/xml', yaml: 'application/yaml',
  yml: 'application/yaml', zip: 'application/zip',
};

const typeOf = (name) => TYPES[path.extname(name).slice(1).toLowerCase()];
const isUrl = (text) => /^https?:\/\//i.test(text);

/** Where the file is: at its path, or in the stash under the name that it has below /tmp. */
function placeOf(given) {
  const place = given.startsWith('file://') ? fileURLToPath(given) : given;
  const stash = process.env.STASH_DIR;
  if (fs.existsSync(place) || !stash) return place;
  const name = place.replace(/^\/tmp\//, '');
  const there = path.resolve(stash, name);
  return there.startsWith(`${stash}/`) && fs.existsSync(there) ? there : place;
}

async function local(given) {
  const place = placeOf(given);
  const found = await fs.promises.stat(place);
  if (!found.isFile()) throw new Error(`${given} is no file`);
  const name = path.basename(place);
  const metadata = { size: found.size, contentType: typeOf(name), lastModified: found.mtime, name, etag: `"${found.size.toString(16)}-${Math.trunc(found.mtimeMs).toString(16)}"` };
  return { stream: fs.createReadStream(place), metadata };
}

function inline(url) {
  const found = /^data:([^,]*?)(;base64)?,([\s\S]*)$/i.exec(url);
  if (found === null) throw new Error('The data: URL cannot be read');
  const bytes = found[2] ? Buffer.from(found[3], 'base64') : Buffer.from(decodeURIComponent(found[3]));
  const contentType = found[1].split(';')[0] || 'text/plain';
  const extension = Object.keys(TYPES).find((it) => TYPES[it] === contentType);
  const metadata = { size: bytes.length, contentType, name: `file${extension ? `.${extension}` : ''}` };
  return { stream: Readable.from([bytes], { objectMode: false }), metadata };
}

async function remote(url) {
  const answer = await send({ method: 'get', url, responseType: 'stream', headers: { Accept: '*/*' } });
  if (answer.status < 200 || answer.status > 299) {
    answer.data.destroy();
    throw new Error(`Failed to fetch ${url}: ${answer.status} ${answer.statusText}`);
  }
  return answer;
}

function nameOf(url, { 'content-disposition': disposition = '' }) {
  const encoded = /filename\*=(?:UTF-8'[^']*')([^;]+)/i.exec(disposition);
  const plain = /filename="?([^";]+)"?/i.exec(disposition);
  try {
    return path.basename(decodeURIComponent(encoded?.[1] ?? plain?.[1] ?? new URL(url).pathname));
  } catch {
    return path.basename(new URL(url).pathname);
  }
}

/** Through a file of its own where the other side does not say how large it is. */
async function measured(stream) {
  const place = path.join(process.env.TMPDIR ?? '/tmp', `.download-${randomUUID()}`);
  await pipeline(stream, fs.createWriteStream(place));
  const { size } = await fs.promises.stat(place);
  const content = fs.createReadStream(place);
  content.on('close', () => fs.rm(place, { force: true }, () => {}));
  return { stream: content, size };
}

/** The content of a path, an http(s) URL or a data: URL. */
async function getFileStream(pathOrUrl) {
  if (isUrl(pathOrUrl)) return (await remote(pathOrUrl)).data;
  return (pathOrUrl.startsWith('data:') ? inline(pathOrUrl) : await local(pathOrUrl)).stream;
}

/** The content, and `{size, contentType, lastModified, name, etag}` as far as they are known. */
async function getFileStreamAndMetadata(pathOrUrl) {
  if (!isUrl(pathOrUrl)) return pathOrUrl.startsWith('data:') ? inline(pathOrUrl) : local(pathOrUrl);
  const { data, headers } = await remote(pathOrUrl);
  const name = nameOf(pathOrUrl, headers);
  const known = headers['content-length'];
  const { stream, size } = known === undefined ? await measured(data) : { stream: data, size: Number(known) };
  const metadata = { size, contentType: headers['content-type'] ?? typeOf(name), name };
  if (headers['last-modified']) metadata.lastModified = new Date(headers['last-modified']);
  if (headers.etag) metadata.etag = headers.etag;
  return { stream, metadata };
}

module.exports = { getFileStream, getFileStreamAndMetadata };
