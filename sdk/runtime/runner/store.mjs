// `$.files`: the files of the stash, by name.

import fs from 'node:fs';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createRequire } from 'node:module';
import { PlainTypeError } from './originals.mjs';

const require = createRequire(import.meta.url);

export function fileStore(root) {
  const inside = (name) => {
    const place = path.resolve(root, `./${name}`);
    if (typeof name !== 'string' || !place.startsWith(`${root}/`)) throw new PlainTypeError(`$.files has no place "${name}"`);
    return place;
  };
  const open = (name) => file(inside(name), path.relative(root, inside(name)));
  return {
    open,
    async* dir(name = '') {
      const place = name === '' ? root : inside(name);
      for (const entry of await fs.promises.readdir(place, { withFileTypes: true })) {
        const below = path.relative(root, path.join(place, entry.name));
        yield { name: entry.name, path: below, isFile: () => entry.isFile(), isDirectory: () => entry.isDirectory(), file: () => open(below) };
      }
    },
  };
}

function file(place, name) {
  const ready = () => fs.mkdirSync(path.dirname(place), { recursive: true });
  return {
    path: name,
    toBuffer: () => fs.promises.readFile(place),
    toFile: (local) => fs.promises.copyFile(place, local),
    createReadStream: () => fs.createReadStream(place),
    createWriteStream() {
      ready();
      return fs.createWriteStream(place);
    },
    async fromFile(local) {
      ready();
      await fs.promises.copyFile(local, place);
      return this;
    },
    async fromReadableStream(stream) {
      ready();
      await pipeline(stream, fs.createWriteStream(place));
      return this;
    },
    async fromUrl(url) {
      return this.fromReadableStream(await require('../index.cjs').getFileStream(url));
    },
    delete: () => fs.promises.rm(place, { force: true }),
  };
}
