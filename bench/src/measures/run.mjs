// What a run is compared with: the same function in a process that is always there.

import http from "node:http";
import component from "./component.mjs";

const server = http.createServer(async (request, response) => {
  let text = "";
  for await (const piece of request) text += piece;
  const { configured_props: props } = JSON.parse(text);
  const ret = await component.run.call(props, { $: {}, steps: {} });
  const body = JSON.stringify({ exports: {}, os: [], ret });
  response.writeHead(200, { "content-type": "application/json" }).end(body);
});
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
