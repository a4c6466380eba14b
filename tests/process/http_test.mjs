// HTTP as programs without an SDK see it: status codes, headers and both eras of the protocol.
import assert from 'node:assert/strict';
import { request } from 'node:http';
import { test } from 'node:test';
import {
  environment,
  memoryMiB,
  modernMeta,
  sanitized,
  startHttp,
  tempDir,
  withDeadline,
} from './support.mjs';

const json = { 'content-type': 'application/json', accept: 'application/json, text/event-stream' };

/// {status, headers, body}. `body` may be a string, an object or absent.
function http(url, { method = 'POST', headers = json, body } = {}) {
  const sent = body === undefined || typeof body === 'string' ? body : JSON.stringify(body);
  const answer = new Promise((resolve, reject) => {
    const call = request(url, { method, headers }, (reply) => {
      let text = '';
      reply.on('data', (chunk) => {
        text += chunk;
      });
      reply.on('end', () =>
        resolve({ status: reply.statusCode, headers: reply.headers, body: text }),
      );
      reply.on('error', reject);
    });
    call.on('error', reject);
    call.end(sent);
  });
  return withDeadline(answer, `${method} ${url}`);
}

const initialize = {
  jsonrpc: '2.0',
  id: 1,
  method: 'initialize',
  params: {
    protocolVersion: '2025-11-25',
    capabilities: {},
    clientInfo: { name: 't', version: '1' },
  },
};
const modern = (method, params = {}) => ({
  jsonrpc: '2.0',
  id: 7,
  method,
  params: { ...params, _meta: modernMeta },
});
const modernHeaders = (method, name) => ({
  ...json,
  'mcp-protocol-version': '2026-07-28',
  'mcp-method': method,
  ...(name && { 'mcp-name': name }),
});

test('HTTP', async (t) => {
  const server = await startHttp(t, environment(tempDir(t)));
  const { url } = server;

  /// Headers of a session that has just begun.
  const open = async () => {
    const reply = await http(url, { body: initialize });
    assert.equal(reply.status, 200);
    assert.match(reply.headers['mcp-session-id'], /^[\x21-\x7e]{32,}$/);
    return { ...json, 'mcp-session-id': reply.headers['mcp-session-id'] };
  };
  const list = { jsonrpc: '2.0', id: 2, method: 'tools/list' };

  await t.test('a session lasts from initialize to DELETE', async () => {
    const headers = await open();
    assert.equal((await http(url, { headers, body: list })).status, 200);
    assert.equal((await http(url, { method: 'DELETE', headers })).status, 204);
    assert.equal((await http(url, { headers, body: list })).status, 404);
    assert.equal((await http(url, { body: list })).status, 400);
    assert.equal((await http(url, { method: 'GET', headers })).status, 404);
  });

  await t.test('GET listens, once in each session, and ends with it', async () => {
    const headers = { ...(await open()), accept: 'text/event-stream' };
    const listen = () => {
      const stream = { text: '' };
      stream.begun = new Promise((resolve, reject) => {
        const call = request(url, { method: 'GET', headers }, (reply) => {
          stream.reply = reply;
          stream.ended = new Promise((end) => reply.on('end', end));
          reply.on('data', (chunk) => {
            stream.text += chunk;
            resolve();
          });
        });
        call.on('error', reject);
        call.end();
      });
      return stream;
    };
    const stream = listen();
    await withDeadline(stream.begun, 'the first event');
    assert.equal(stream.reply.statusCode, 200);
    assert.match(stream.reply.headers['content-type'], /^text\/event-stream/);
    assert.match(stream.text, /^id: 0:0\nretry: \d+\ndata: \n\n/);
    assert.equal((await http(url, { method: 'GET', headers })).status, 409);
    assert.equal((await http(url, { method: 'DELETE', headers })).status, 204);
    await withDeadline(stream.ended, 'the end of the stream');
  });

  await t.test('the older HTTP+SSE is off, and says how to turn it on', async () => {
    const reply = await http(url.replace('/mcp', '/sse'), { method: 'GET' });
    assert.equal(reply.status, 404);
    assert.match(reply.body, /server\.legacy_sse/);
  });

  await t.test('initialize is answered as JSON in the version asked for', async () => {
    const reply = await http(url, { body: initialize });
    assert.equal(reply.status, 200);
    assert.match(reply.headers['content-type'], /^application\/json/);
    const { result } = JSON.parse(reply.body);
    assert.equal(result.protocolVersion, '2025-11-25');
    assert.ok(!('resultType' in result));
  });

  await t.test('discover is answered with the headers of 2026-07-28', async () => {
    const reply = await http(url, {
      headers: modernHeaders('server/discover'),
      body: modern('server/discover'),
    });
    assert.equal(reply.status, 200);
    const { result } = JSON.parse(reply.body);
    assert.equal(result.resultType, 'complete');
    assert.ok(result.supportedVersions.includes('2026-07-28'));
    assert.equal(typeof result.ttlMs, 'number');
  });

  await t.test('headers that contradict the body are refused', async () => {
    const reply = await http(url, {
      headers: modernHeaders('tools/call', 'memory_get'),
      body: modern('tools/list'),
    });
    assert.equal(reply.status, 400);
    assert.equal(JSON.parse(reply.body).error.code, -32020);
  });

  await t.test('the modern era has no initialize', async () => {
    const reply = await http(url, {
      headers: modernHeaders('initialize'),
      body: modern('initialize'),
    });
    assert.equal(reply.status, 404);
    assert.equal(JSON.parse(reply.body).error.code, -32601);
  });

  await t.test('an unknown version names those that are supported', async () => {
    const body = modern('tools/list');
    body.params._meta = { ...modernMeta, 'io.modelcontextprotocol/protocolVersion': '2030-01-01' };
    const reply = await http(url, {
      headers: { ...modernHeaders('tools/list'), 'mcp-protocol-version': '2030-01-01' },
      body,
    });
    assert.equal(reply.status, 400);
    const { error } = JSON.parse(reply.body);
    assert.equal(error.code, -32022);
    assert.ok(error.data.supported.includes('2026-07-28'));
  });

  await t.test('a notification is accepted without a body', async () => {
    const reply = await http(url, {
      headers: await open(),
      body: { jsonrpc: '2.0', method: 'notifications/initialized' },
    });
    assert.deepEqual([reply.status, reply.body], [202, '']);
  });

  await t.test('hosts and origins of elsewhere are refused', async () => {
    const { port } = new URL(url);
    const with_header = (headers) =>
      http(url, { headers: { ...json, ...headers }, body: initialize });
    assert.equal((await with_header({ host: 'evil.example.com' })).status, 403);
    assert.equal((await with_header({ origin: 'http://evil.example.com' })).status, 403);
    assert.equal((await with_header({ origin: 'null' })).status, 403);
    assert.equal((await with_header({ host: `localhost:${port}` })).status, 200);
    assert.equal((await with_header({ origin: 'http://localhost:5173' })).status, 200);
  });

  await t.test('malformed bodies are refused', async () => {
    const broken = await http(url, { body: '{"jsonrpc":"2.0","id":1,' });
    assert.equal(broken.status, 400);
    assert.equal(JSON.parse(broken.body).error.code, -32700);
    const plain = await http(url, {
      headers: { ...json, 'content-type': 'text/plain' },
      body: 'x',
    });
    assert.equal(plain.status, 415);
    assert.equal((await http(url.replace('/mcp', '/nowhere'), { body: initialize })).status, 404);
  });

  await t.test('a body of 200 MB is refused without being kept', async () => {
    const reply = await new Promise((resolve, reject) => {
      const call = request(
        url,
        { method: 'POST', headers: { ...json, 'content-length': 200e6 } },
        (answer) => {
          resolve(answer.statusCode);
          answer.resume();
          call.destroy();
        },
      );
      // The answer may come, and the connection close, before everything is sent.
      call.on('error', (error) => reject(error));
      call.write(Buffer.alloc(1 << 20, 'a'));
    });
    assert.equal(reply, 413);
    assert.ok(sanitized || memoryMiB(server.pid, 'VmHWM') < 300);
    assert.equal((await http(url, { body: initialize })).status, 200);
  });
});

test('HTTP+SSE, for clients of before 2025-03-26', async (t) => {
  const server = await startHttp(
    t,
    environment(tempDir(t), { QV_SERVER_LEGACY_SSE: 'true' }),
  );
  const sse = server.url.replace('/mcp', '/sse');
  const events = [];
  let wake = () => {};
  const call = request(sse, { headers: { accept: 'text/event-stream' } }, (reply) => {
    let text = '';
    reply.on('data', (chunk) => {
      text += chunk;
      for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
        events.push(text.slice(0, end));
        text = text.slice(end + 2);
      }
      wake();
    });
  });
  call.end();
  t.after(() => call.destroy());
  const event = async (index) => {
    while (events.length <= index) {
      const more = new Promise((resolve) => {
        wake = resolve;
      });
      await withDeadline(more, `event ${index}`);
    }
    return events[index];
  };
  const [, path] = /^event: endpoint\ndata: (.*)$/.exec(await event(0));
  const messages = new URL(path, sse).href;
  assert.equal((await http(messages, { body: initialize })).status, 202);
  const [, opened] = /^event: message\ndata: (.*)$/.exec(await event(1));
  assert.equal(JSON.parse(opened).result.protocolVersion, '2025-11-25');
  assert.equal((await http(`${messages}x`, { body: initialize })).status, 404);
});
