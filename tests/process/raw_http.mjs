// HTTP without an SDK: one request at a time, whole or as a stream of events.
import { request } from 'node:http';
import { modernMeta, withDeadline } from './support.mjs';

const json = { 'content-type': 'application/json', accept: 'application/json, text/event-stream' };

/// Sends a request; {status, headers, next, body, hangUp}. next() is the next event {id, data, retry}
/// of a stream, or nothing at its end; body() is all the text there is.
export function open(url, { method = 'POST', headers = {}, body, agent } = {}) {
  const sent = body === undefined || typeof body === 'string' ? body : JSON.stringify(body);
  const call = request(url, { method, headers: { ...json, ...headers }, agent });
  const answer = new Promise((resolve, reject) => {
    call.on('error', reject);
    call.on('response', (reply) => {
      reply.setEncoding('utf8');
      const chunks = reply[Symbol.asyncIterator]();
      let rest = '';
      const more = async () => {
        const { value, done } = await withDeadline(chunks.next(), `more of ${method} ${url}`);
        if (!done) rest += value;
        return !done;
      };
      resolve({
        status: reply.statusCode,
        headers: reply.headers,
        async next() {
          for (;;) {
            const end = rest.indexOf('\n\n');
            if (end < 0) {
              if (await more()) continue;
              return undefined;
            }
            const event = parseEvent(rest.slice(0, end));
            rest = rest.slice(end + 2);
            if (event) return event;
          }
        },
        async body() {
          while (await more());
          return rest;
        },
        hangUp: () => call.destroy(),
      });
    });
  });
  call.end(sent);
  return { answer: withDeadline(answer, `${method} ${url}`), hangUp: () => call.destroy() };
}

/// Nothing for a comment.
function parseEvent(text) {
  const event = {};
  for (const line of text.split('\n')) {
    const [, name, value] = /^([^:]*):? ?(.*)$/s.exec(line);
    if (name === 'data') event.data = event.data === undefined ? value : `${event.data}\n${value}`;
    else if (name) event[name] = value;
  }
  return Object.keys(event).length > 0 ? event : undefined;
}

/// A whole exchange: {status, headers, text, message}, the message being the JSON-RPC reply, whether
/// it came as JSON or as the last event.
export async function exchange(url, options) {
  const reply = await open(url, options).answer;
  const type = reply.headers['content-type'] ?? '';
  const { status, headers } = reply;
  if (type.startsWith('text/event-stream')) {
    const events = [];
    for (let event; (event = await reply.next()); ) events.push(event);
    const messages = events.filter((event) => event.data).map((event) => JSON.parse(event.data));
    const message = messages.find((one) => 'result' in one || 'error' in one);
    return { status, headers, events, messages, message };
  }
  const text = await reply.body();
  return { status, headers, text, message: type.includes('json') ? JSON.parse(text) : undefined };
}

let nextId = 1;

/// A 2026-07-28 request, with the headers that belong to it.
export function modern(method, params = {}, { meta = {}, headers = {} } = {}) {
  const name = params.name ?? params.uri ?? params.taskId;
  return {
    headers: {
      'mcp-protocol-version': '2026-07-28',
      'mcp-method': method,
      ...(name && { 'mcp-name': name }),
      ...headers,
    },
    body: {
      jsonrpc: '2.0',
      id: nextId++,
      method,
      params: { ...params, _meta: { ...modernMeta, ...meta } },
    },
  };
}

/// A session as clients before 2026-07-28 have it: {call(method, params), post(body), id}.
export async function legacySession(url, protocolVersion, capabilities = {}) {
  const hello = {
    jsonrpc: '2.0',
    id: nextId++,
    method: 'initialize',
    params: { protocolVersion, capabilities, clientInfo: { name: 'quiver-test', version: '1' } },
  };
  const started = await exchange(url, { body: hello });
  const id = started.headers['mcp-session-id'];
  const headers = {
    'mcp-protocol-version': started.message.result.protocolVersion,
    ...(id && { 'mcp-session-id': id }),
  };
  const post = (body, more = {}) => ({ headers: { ...headers, ...more }, body });
  const call = (method, params = {}) => post({ jsonrpc: '2.0', id: nextId++, method, params });
  const ready = { jsonrpc: '2.0', method: 'notifications/initialized' };
  await exchange(url, post(ready));
  return { id, headers, started: started.message.result, call, post };
}
