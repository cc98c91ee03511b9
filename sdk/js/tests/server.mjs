// A small HTTP server with a pretend account store, on a real socket. Every request is kept for the
// tests to look at.
import http from 'node:http';

export async function pretendServer(answer) {
  const requests = [];
  const server = http.createServer(async (request, response) => {
    let text = '';
    for await (const chunk of request) text += chunk;
    const url = new URL(request.url, 'http://pretend');
    const seen = {
      method: request.method,
      path: url.pathname,
      query: url.searchParams,
      headers: request.headers,
      text,
      body: parsed(text),
      line: `${request.method} ${request.url}`,
    };
    requests.push(seen);
    const made = (await answer(seen, requests)) ?? {
      status: 404,
      body: { error: 'No such path', code: 'not_found' },
    };
    if (made.hang) return;
    if (made.cut) {
      request.socket.destroy();
      return;
    }
    const body =
      made.body === undefined
        ? ''
        : typeof made.body === 'string'
          ? made.body
          : JSON.stringify(made.body);
    response.writeHead(made.status ?? 200, { 'content-type': 'application/json', ...made.headers });
    response.end(body);
  });
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    requests,
    lines: () => requests.map((it) => it.line),
    close: () => {
      server.closeAllConnections();
      return new Promise((done) => server.close(done));
    },
  };
}

/** What the body says, if it is JSON. */
function parsed(text) {
  try {
    return text === '' ? undefined : JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Starts a server for one test and stops it after. */
export async function serve(t, answer) {
  const server = await pretendServer(answer);
  t.after(() => server.close());
  return server;
}
