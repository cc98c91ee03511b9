// What holds of every component: it is complete, unique, and stands on nothing but the runtime.

import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { builtinModules } from "node:module";
import path from "node:path";
import { test } from "node:test";
import { worker } from "../../sdk/runtime/tests/host.mjs";
import { everyComponent, filesBelow, ROOT } from "./world.mjs";

const CATALOG = path.join(ROOT, "../crates/catalog/apps");
const components = everyComponent();
const read = (...parts) => readFileSync(path.join(ROOT, ...parts), "utf8");
const apps = [...new Set(components.map((it) => it.app))];
const WITHOUT_LABEL = ["app", "$.service.db"];

test("there are components", () => {
  const actions = components.filter((it) => it.entry.startsWith("actions/"));
  assert.ok(actions.length >= 30, `${actions.length} actions`);
  assert.ok(components.length - actions.length >= 10);
});

test("every folder is an app of the catalogue", () => {
  for (const app of apps) {
    const known = existsSync(path.join(CATALOG, app[0], `${app}.toml`));
    assert.ok(known, `${app} is not in the catalogue`);
    assert.match(read(app, `${app}.app.mjs`), new RegExp(`\\n  app: "${app}",\\n`));
  }
});

test("a file imports the runtime, Node's own modules and its app's folder, nothing else", () => {
  for (const app of apps) {
    for (const name of filesBelow(path.join(ROOT, app))) {
      const imports = [...read(app, name).matchAll(/\bfrom\s+"([^"]+)"|\bimport\(/g)];
      for (const [whole, from] of imports) {
        assert.notEqual(whole, "import(", `${app}/${name} imports at run time`);
        const inside = path.join(app, path.dirname(name), from);
        const own = from.startsWith(".") && inside.startsWith(`${app}/`)
          && existsSync(path.join(ROOT, inside));
        const node = from.startsWith("node:") && builtinModules.includes(from.slice(5));
        assert.ok(own || node || from === "@grantkeep/runtime", `${app}/${name} imports ${from}`);
      }
    }
  }
});

test("a line fits into 100 columns", () => {
  for (const name of filesBelow(ROOT).filter((it) => it.endsWith(".mjs"))) {
    read(name).split("\n").forEach((line, at) => {
      assert.ok(line.length <= 100, `${name}:${at + 1} has ${line.length} columns`);
    });
  }
});

const keys = new Map();

for (const { app, entry } of components) {
  test(`${app}/${entry} is complete`, async (t) => {
    const files = Object.fromEntries(
      filesBelow(path.join(ROOT, app)).map((name) => [name, read(app, name)]),
    );
    const host = await worker(t, files);
    const { ok, error } = await host.load(entry);
    assert.equal(error, undefined, JSON.stringify(error));
    const it = ok.component;
    assert.equal(it.key, `${app}-${path.basename(entry, ".mjs")}`);
    assert.equal(keys.get(it.key), undefined, "the key is taken");
    keys.set(it.key, entry);
    assert.match(it.version, /^\d+\.\d+\.\d+$/);
    assert.ok(it.name && it.description);
    assert.ok(it.run);
    const action = entry.startsWith("actions/");
    assert.equal(it.type, action ? "action" : "source");
    if (action) {
      const { readOnlyHint, destructiveHint, openWorldHint } = it.annotations;
      for (const hint of [readOnlyHint, destructiveHint, openWorldHint]) {
        assert.equal(typeof hint, "boolean");
      }
      assert.ok(!(readOnlyHint && destructiveHint));
    } else {
      assert.ok(["unique", "greatest", "last"].includes(it.dedupe));
      assert.deepEqual(it.hooks, ["deploy"]);
      assert.equal(it.sampleEmit, true);
      const timer = it.props.find(({ type }) => type === "$.interface.timer");
      assert.deepEqual(timer.default, { intervalSeconds: 900 });
      assert.ok(it.props.some(({ type }) => type === "$.service.db"));
    }
    for (const prop of it.props.filter(({ type }) => !WITHOUT_LABEL.includes(type))) {
      assert.ok(prop.label && prop.description, `${prop.name} has no label or description`);
    }
  });
}
