// Calls of tools whose outcome is one of three: acknowledged, surely refused, or unknown.
import assert from 'node:assert/strict';
import { request } from 'node:http';
import { performance } from 'node:perf_hooks';
import { modern } from '../raw_http.mjs';

/// A server that has not answered by then is not waited for.
const patienceMs = 15_000;

/// Errors of a tool that mean: nothing was changed. Of the others nobody knows.
const refusals = new Set([
  'invalid_argument',
  'not_found',
  'already_exists',
  'failed_precondition',
  'permission_denied',
  'resource_exhausted',
  'unavailable',
]);

const types = { 'content-type': 'application/json', accept: 'application/json, text/event-stream' };

/// {status, text}, or {problem, sent}: whether it reached the server at all.
function post(url, { headers = {}, body, method = 'POST' }, ms) {
  return new Promise((done) => {
    const call = request(url, { method, headers: { ...types, ...headers }, agent: false });
    const late = setTimeout(() => call.destroy(new Error(`nothing within ${ms} ms`)), ms);
    const end = (outcome) => {
      clearTimeout(late);
      done(outcome);
    };
    call.on('error', (problem) => end({ problem, sent: problem.syscall !== 'connect' }));
    call.on('response', (reply) => {
      let text = '';
      reply.setEncoding('utf8');
      reply.on('data', (more) => {
        text += more;
      });
      reply.on('end', () => end({ status: reply.statusCode, text }));
      reply.on('error', (problem) => end({ problem, sent: true }));
    });
    call.end(JSON.stringify(body));
  });
}

/// The JSON-RPC reply, as JSON or the last event of a stream.
function replyOf(text) {
  for (const line of text.startsWith('{') ? [text] : text.split('\n').reverse()) {
    const json = line.startsWith('data:') ? line.slice(5) : line;
    try {
      const message = JSON.parse(json);
      if ('result' in message || 'error' in message) return message;
    } catch {
      // Not a line of data.
    }
  }
  return undefined;
}

function judge({ status, text, problem, sent }) {
  if (problem) {
    return { outcome: sent ? 'unknown' : 'refused', code: 'network', message: `${problem}` };
  }
  const reply = replyOf(text);
  const result = reply?.result;
  if (result && !result.isError) return { outcome: 'ok', value: result.structuredContent };
  if (result) {
    const { code, message } = JSON.parse(result.content[0].text);
    return { outcome: refusals.has(code) ? 'refused' : 'unknown', code, message };
  }
  return { outcome: 'unknown', code: `http ${status}`, message: text.slice(0, 300) };
}

/// One call of a tool: {outcome: 'ok', value} or {outcome: 'refused' | 'unknown', code, message},
/// with its `start` and `end` in milliseconds of one clock.
export async function attempt(server, tool, args = {}, ms = patienceMs) {
  const start = performance.now();
  const call = modern('tools/call', { name: tool, arguments: args });
  const judged = judge(await post(server.mcp_url, call, ms));
  return { ...judged, start, end: performance.now() };
}

/// What a tool answers that must succeed.
export async function ask(server, tool, args = {}, ms = patienceMs) {
  const { outcome, value, code, message } = await attempt(server, tool, args, ms);
  assert.equal(outcome, 'ok', `${tool} of ${server.label}: ${code}: ${message}`);
  return value;
}

/// A write by REST under an Idempotency-Key: {status, reply}, status 0 if nothing came back.
export async function restWrite(server, path, body, key, ms = patienceMs) {
  const headers = { 'idempotency-key': key };
  const url = `${server.url}/api/v1${path}`;
  const { status = 0, text = '' } = await post(url, { headers, body }, ms);
  return { status, reply: text.startsWith('{') ? JSON.parse(text) : text };
}
