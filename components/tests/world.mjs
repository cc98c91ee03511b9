// Components in the real runner, their apps pretended by the simulator.

import { spawn } from "node:child_process";
import { readdirSync, readFileSync, statSync } from "node:fs";
import http from "node:http";
import path from "node:path";
import { after, before, beforeEach } from "node:test";
import { fileURLToPath } from "node:url";
import { worker } from "../../sdk/runtime/tests/host.mjs";

export const ROOT = fileURLToPath(new URL("..", import.meta.url));
const REPOSITORY = path.join(ROOT, "..");
export const TOKEN = "sim_token_of_ada";
export const KEY = "sk_test_sim0000000000";

/** Names of files below a folder, with `/` between the parts. */
export function filesBelow(folder, prefix = "") {
  return readdirSync(folder).flatMap((name) => {
    const whole = path.join(folder, name);
    const shown = prefix + name;
    return statSync(whole).isDirectory() ? filesBelow(whole, `${shown}/`) : [shown];
  });
}

/** Every component: its folder's app, its entry below that folder. */
export function everyComponent() {
  const apps = readdirSync(ROOT).filter((it) => it !== "tests" && !it.includes("."));
  return apps.flatMap((app) => filesBelow(path.join(ROOT, app))
    .filter((it) => /^(actions|sources)\/([^/]+)\/\2\.mjs$/.test(it))
    .map((entry) => ({ app, entry })));
}

/** The simulator for the tests of one file; every test finds the app as it was at the start. */
export function world(app) {
  const it = { app, url: "", routes: {} };
  let child;
  before(async () => {
    const args = ["run", "--quiet", "-p", "grantkeep-simulator", "--example", "apps"];
    const stdio = ["pipe", "pipe", "inherit"];
    child = spawn("cargo", args, { cwd: REPOSITORY, stdio });
    it.url = await new Promise((resolve, reject) => {
      child.stdout.once("data", (bytes) => resolve(bytes.toString().trim()));
      child.once("exit", (code) => reject(new Error(`the simulator ended with ${code}`)));
    });
    it.routes = (await control("GET", "")).routes;
  });
  after(() => child.stdin.end());
  beforeEach(() => it.control("POST", "/reset", {}));

  async function control(method, what, body) {
    const headers = { "content-type": "application/json" };
    const sent = body === undefined ? undefined : JSON.stringify(body);
    const answer = await fetch(`${it.url}/_control/apps${what}`, { method, headers, body: sent });
    if (!answer.ok) throw new Error(`${what} answered ${answer.status}`);
    return answer.status === 204 ? undefined : answer.json();
  }

  it.control = (method, what, body) => control(method, `/${app}${what}`, body);
  it.calls = () => it.control("GET", "/calls");
  it.forget = () => it.control("DELETE", "/calls");
  it.revoke = () => it.control("POST", "/revoked", { revoked: true });
  it.fault = (status, more) => it.control("POST", "/faults", { status, times: 1, ...more });
  it.pages = (items) => it.control("POST", "/page_max", { items });
  /** Something that happens in the app without a component. */
  it.happen = async (method, address, body, token = TOKEN) => {
    const url = new URL(address);
    const form = body instanceof URLSearchParams;
    const answer = await fetch(it.routes[url.host] + url.pathname + url.search, {
      method,
      headers: {
        authorization: `Bearer ${token}`,
        ...(!form && { "content-type": "application/json" }),
        "notion-version": "2022-06-28",
        "user-agent": "tests",
      },
      body: form ? body : JSON.stringify(body),
    });
    if (!answer.ok) throw new Error(`${address} answered ${answer.status}`);
    return answer.json();
  };

  /** Leads what the code asks of a host to the simulator, as `egress_dev_routes` does. */
  function serve(request, response) {
    const base = it.routes[request.headers.host];
    if (base === undefined) {
      response.writeHead(502).end(`no route to ${request.headers.host}`);
      return;
    }
    const { method, headers } = request;
    const onward = http.request(base + request.url, { method, headers }, (answer) => {
      response.writeHead(answer.statusCode, answer.headers);
      answer.pipe(response);
    });
    onward.on("error", () => response.destroy());
    request.pipe(onward);
  }

  /** Loads a component: `actions/send-message` or `sources/new-issue`. */
  it.component = async (t, place, account = { oauth_access_token: TOKEN }) => {
    const folder = path.join(ROOT, app);
    const files = Object.fromEntries(
      filesBelow(folder).map((name) => [name, readFileSync(path.join(folder, name))]),
    );
    const remembered = {};
    const calls = {
      "db.set": ({ key, value }) => {
        remembered[key] = value;
      },
    };
    const host = await worker(t, files, { serve, calls });
    const loaded = await host.load(`${place}/${path.basename(place)}.mjs`);
    if (loaded.error) throw new Error(`${place}: ${JSON.stringify(loaded.error)}`);
    const { component } = loaded.ok;
    const own = Object.fromEntries(component.props.filter((prop) => prop.type === "app")
      .map((prop) => [prop.name, { $auth: account, app: prop.app }]));
    return new Component(host, component, own, remembered);
  };
  return it;
}

class Component {
  constructor(host, wire, own, remembered) {
    Object.assign(this, { host, wire, own, remembered });
  }

  input(props, more) {
    const db = { db: { ...this.remembered } };
    const base = { event: null, steps: {}, context: {}, files: [], dynamicProps: null, db };
    return { ...base, props: { ...this.own, ...props }, ...more };
  }

  /** Runs an action: what it returned, its summary, or its error. */
  async run(props = {}, more = {}) {
    const before = this.host.notices.length;
    const answer = await this.host.order("run", { input: this.input(props, more) });
    const notices = this.host.notices.slice(before);
    const exported = notices.filter((it) => it.export?.name === "$summary");
    return {
      ret: answer.ok?.ret,
      error: answer.error,
      summary: exported.at(-1)?.export.value,
      emits: notices.filter((it) => it.emit).map((it) => it.emit),
    };
  }

  /** Runs a hook of a source: what it emitted. */
  async hook(name, props = {}) {
    const before = this.host.notices.length;
    const answer = await this.host.order("hook", { input: this.input(props, { hook: name }) });
    if (answer.error) throw new Error(JSON.stringify(answer.error));
    return this.host.notices.slice(before).filter((it) => it.emit).map((it) => it.emit);
  }

  /** A source as it goes round: what one look emitted. */
  async look(props = {}) {
    const event = { timestamp: 1763629200, interval_seconds: 900 };
    const { emits, error } = await this.run(props, { event });
    if (error) throw new Error(JSON.stringify(error));
    return emits;
  }

  async options(prop, props = {}, more = {}) {
    const asked = { prop, page: 0, prevContext: {}, query: "", ...more };
    const answer = await this.host.order("options", { input: this.input(props, asked) });
    if (answer.error) throw new Error(JSON.stringify(answer.error));
    return answer.ok;
  }

  /** All options by their values, page after page, as the pages ask for them. */
  async allOptions(prop, props = {}) {
    const values = [];
    let prevContext = {};
    for (let page = 0; page < 20; page += 1) {
      const found = await this.options(prop, props, { page, prevContext });
      const items = found.options?.map((it) => it.value) ?? found.stringOptions ?? [];
      if (!items.length) break;
      values.push(...items);
      prevContext = found.context ?? {};
    }
    return values;
  }

  /** The dynamic props, as the wire has them. */
  async reload(props) {
    const answer = await this.host.order("additionalProps", { input: this.input(props) });
    if (answer.error) return { error: answer.error };
    const known = this.wire.props.map((it) => it.name);
    return { dynamicProps: answer.ok.props.filter((it) => !known.includes(it.name)) };
  }
}
