// The files of a run: those that it is given, those that it made, and an empty /tmp for the next one.

import fs from 'node:fs';
import { dirname } from 'node:path';
import { dial, lines } from './channel.mjs';
import { bytesFrom, dictionary, jsonParse, own, PlainError, PlainPromise, push, put, slice, split, startsWith, toText } from './originals.mjs';
import { object, quote } from './json.mjs';

const { createReadStream, lstatSync, mkdirSync, readdirSync, rmSync, statSync, symlinkSync, writeFileSync } = fs;

/** Files that one run may hand back, and how deep their folders may be. */
const FILES_MAX = 1000;
const DEPTH_MAX = 16;
/** The bit of a folder where everybody may write and nobody may delete what is another's. */
const STICKY = 0o1000;

/**
 * The folders of a worker. Only a folder that is this worker's alone is ever emptied: ours, not shared (the sticky bit),
 * and empty at the start.
 */
export function folders(temporary, stash) {
  const owner = process.getuid?.();
  let alone = false;
  try {
    const found = statSync(temporary);
    alone = found.uid === owner && (found.mode & STICKY) === 0 && readdirSync(temporary).length === 0;
  } catch {
    // It is not there: nothing to empty.
  }
  const inside = (place) => startsWith(place, `${temporary}/`);

  /**
   * Puts the host's files into the stash, and a link to each where code looks that knows of /tmp alone. Gives what is
   * there then, where that is `wanted`.
   */
  function receive(given, wanted) {
    mkdirSync(stash, { recursive: true });
    const list = given ?? [];
    for (let at = 0; at < list.length; at += 1) {
      const name = own(list[at], 'path');
      if (!isName(name)) throw new PlainError(`A file cannot be called "${toText(name)}"`);
      const place = `${stash}/${name}`;
      mkdirSync(dirname(place), { recursive: true });
      writeFileSync(place, bytesFrom(own(list[at], 'base64'), 'base64'));
      if (alone && inside(stash)) link(split(name, '/')[0]);
    }
    return wanted ? seen() : undefined;
  }

  function link(top) {
    try {
      symlinkSync(`${stash}/${top}`, `${temporary}/${top}`);
    } catch {
      // There is one already.
    }
  }

  /** What is there now: `{path: {place, bytes, mark}}`. */
  function seen() {
    const all = dictionary();
    const count = { left: FILES_MAX };
    if (alone) walk(temporary, '', all, count, stash);
    walk(stash, '', all, count, undefined);
    return all;
  }

  /** The files that are new or changed since `before`. */
  function made(before) {
    const after = seen();
    const list = [];
    for (const name in after) {
      if (own(before, name)?.mark !== after[name].mark) push(list, { path: name, ...after[name] });
    }
    return list;
  }

  function empty() {
    if (alone) clear(temporary, stash);
    clear(stash, undefined);
  }
  return { receive, made, empty };
}

function isName(name) {
  if (typeof name !== 'string' || name === '') return false;
  const parts = split(name, '/');
  for (let at = 0; at < parts.length; at += 1) {
    if (parts[at] === '' || parts[at] === '.' || parts[at] === '..') return false;
  }
  return true;
}

function walk(folder, prefix, all, count, without, depth = 0) {
  let names;
  try {
    names = readdirSync(folder);
  } catch {
    return;
  }
  for (let at = 0; at < names.length && count.left > 0; at += 1) {
    const place = `${folder}/${names[at]}`;
    if (names[at][0] === '.' || place === without) continue;
    let found;
    try {
      found = lstatSync(place, { bigint: false });
    } catch {
      continue;
    }
    if (found.isDirectory() && depth < DEPTH_MAX) walk(place, `${prefix}${names[at]}/`, all, count, without, depth + 1);
    if (!found.isFile()) continue;
    count.left -= 1;
    put(all, prefix + names[at], { place, bytes: found.size, mark: `${found.ino}:${found.size}:${found.mtimeMs}:${found.ctimeMs}` });
  }
}

/** Deletes what is in the folder, but for the folder `without`. */
function clear(folder, without) {
  let names = [];
  try {
    // A link that code put here leads to what is not ours.
    if (lstatSync(folder).isDirectory()) names = readdirSync(folder);
  } catch {
    return;
  }
  for (let at = 0; at < names.length; at += 1) {
    if (`${folder}/${names[at]}` === without && lstatSync(without).isDirectory()) continue;
    try {
      rmSync(`${folder}/${names[at]}`, { recursive: true, force: true });
    } catch {
      // The next run has what cannot be deleted.
    }
  }
}

/** Sends one file to the host. Rejects with what the host has against it. */
export function sendFile(enter, of, file) {
  return new PlainPromise((resolve, reject) => {
    const hello = object({
      __proto__: null, hello: '"file"', of: toText(of), path: quote(file.path), bytes: toText(file.bytes),
    });
    const connection = dial(enter, hello);
    let answered = false;
    connection.on('error', reject);
    connection.on('close', () => answered || reject(new PlainError(`The host did not take the file ${file.path}`)));
    lines(connection, (line) => {
      answered = true;
      const answer = jsonParse(line);
      connection.end();
      if (own(answer, 'ok') !== undefined) resolve();
      else reject(new PlainError(own(own(answer, 'error'), 'message') ?? `The host refused the file ${file.path}`));
    });
    let left = file.bytes;
    if (left === 0) return;
    const content = createReadStream(file.place, { end: file.bytes - 1 });
    content.on('data', (bytes) => {
      left -= bytes.length;
      if (!connection.write(bytes)) {
        content.pause();
        connection.on('drain', () => content.resume());
      }
    });
    content.on('error', (error) => {
      connection.destroy();
      reject(error);
    });
    content.on('end', () => left > 0 && connection.destroy());
  });
}

export const withoutSlash = (folder) => (folder.length > 1 && folder[folder.length - 1] === '/' ? slice(folder, 0, -1) : folder);
