// What the official suite leaves out, asked of the same fixture server.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { resolve } from 'node:path';
import { test } from 'node:test';
import { exchange, legacySession, modern, open } from '../process/raw_http.mjs';
import { until, withDeadline } from '../process/support.mjs';

const tasks = { extensions: { 'io.modelcontextprotocol/tasks': {} } };
const withTasks = { meta: { 'io.modelcontextprotocol/clientCapabilities': tasks } };
const subscriptionId = 'io.modelcontextprotocol/subscriptionId';

/// The fixture server on a free port: {url, end}.
async function start(t) {
  const program = resolve(process.env.CONFORMANCE_SERVER ?? 'build/conformance-server');
  const child = spawn(program, ['--http', '127.0.0.1:0'], { stdio: ['ignore', 'ignore', 'pipe'] });
  t.after(() => child.kill('SIGKILL'));
  let text = '';
  child.stderr.on('data', (chunk) => {
    text += chunk;
  });
  const exited = new Promise((done) => child.on('exit', (code, signal) => done(code ?? signal)));
  const found = await until(() => /http:\S+\/mcp/.exec(text), 'the server names its URL');
  return {
    url: found[0],
    end: () => {
      child.kill('SIGTERM');
      return withDeadline(exited, 'the server ends');
    },
  };
}

const json = (event) => JSON.parse(event.data);

/// An open stream of subscriptions/listen, after its acknowledgement.
async function listen(url, notifications, more) {
  const request = modern('subscriptions/listen', { notifications }, more);
  const { id } = request.body;
  const stream = await open(url, request).answer;
  assert.equal(stream.status, 200);
  const first = json(await stream.next());
  assert.equal(first.method, 'notifications/subscriptions/acknowledged');
  assert.equal(first.params._meta[subscriptionId], id);
  return { stream, id, honoured: first.params.notifications };
}

async function startTask(url, name, args) {
  const call = modern('tools/call', { name, arguments: args }, withTasks);
  const { result } = (await exchange(url, call)).message;
  assert.equal(result.resultType, 'task', JSON.stringify(result));
  return result.taskId;
}

test('only a client that knows tasks may ask to hear of them', async (t) => {
  const { url } = await start(t);
  const notifications = { taskIds: [await startTask(url, 'slow_compute', { seconds: 60 })] };
  const request = modern('subscriptions/listen', { notifications });
  const { status, message } = await exchange(url, request);
  assert.equal(status, 400);
  assert.equal(message.error.code, -32021);
  assert.deepEqual(message.error.data.requiredCapabilities, tasks);
  const asked = { taskIds: [...notifications.taskIds, 'unknown'] };
  const { stream, honoured } = await listen(url, asked, withTasks);
  assert.deepEqual(honoured, notifications);
  stream.hangUp();
});

test('streams end in good order when the server does', async (t) => {
  const server = await start(t);
  const { stream, id } = await listen(server.url, { toolsListChanged: true });
  const ended = server.end();
  const last = json(await stream.next());
  assert.equal(last.id, id);
  assert.equal(last.result.resultType, 'complete');
  assert.equal(last.result._meta[subscriptionId], id);
  assert.equal(await stream.next(), undefined);
  assert.equal(await ended, 0);
});

test('a legacy client hears of changes on its own stream', async (t) => {
  const { url } = await start(t);
  const session = await legacySession(url, '2025-11-25');
  const stream = await open(url, { method: 'GET', headers: session.headers }).answer;
  assert.equal(stream.status, 200);
  const next = async () => {
    for (;;) {
      const event = await stream.next();
      if (event.data) return json(event);
    }
  };
  await exchange(url, session.call('tools/call', { name: 'test_trigger_tool_change' }));
  assert.equal((await next()).method, 'notifications/tools/list_changed');
  await exchange(url, session.call('tools/call', { name: 'test_trigger_prompt_change' }));
  assert.equal((await next()).method, 'notifications/prompts/list_changed');
  // There is one such stream for a session.
  assert.equal((await exchange(url, { method: 'GET', headers: session.headers })).status, 409);
  stream.hangUp();
});

test('a stream is taken up where it broke off', async (t) => {
  const { url } = await start(t);
  const session = await legacySession(url, '2025-11-25');
  const call = session.call('tools/call', {
    name: 'test_tool_with_progress',
    _meta: { progressToken: 't' },
  });
  const stream = await open(url, call).answer;
  const priming = await stream.next();
  assert.deepEqual([priming.data ?? '', typeof priming.id], ['', 'string']);
  const first = await stream.next();
  assert.equal(json(first).params.progress, 0);
  stream.hangUp();
  const resume = async (id) => {
    const headers = { ...session.headers, 'last-event-id': id };
    const { status, messages } = await exchange(url, { method: 'GET', headers });
    assert.equal(status, 200);
    return messages.map((message) => message.params?.progress ?? message.id);
  };
  assert.deepEqual(await resume(first.id), [50, 100, call.body.id]);
  assert.deepEqual(await resume(priming.id), [0, 50, 100, call.body.id]);
});

test('answers to questions that nobody asked are taken and forgotten', async (t) => {
  const { url } = await start(t);
  const session = await legacySession(url, '2025-11-25', { elicitation: {} });
  for (const id of [1, 'nobody', 1]) {
    const answer = { jsonrpc: '2.0', id, result: { action: 'accept', content: {} } };
    assert.equal((await exchange(url, session.post(answer))).status, 202);
  }
  assert.equal((await exchange(url, session.call('ping'))).status, 200);
});

test('lists are the same to the byte each time', async (t) => {
  const { url } = await start(t);
  for (const method of ['tools/list', 'prompts/list', 'resources/list', 'server/discover']) {
    const request = modern(method);
    const [one, other] = [await exchange(url, request), await exchange(url, request)];
    assert.ok(one.text.length > 100, method);
    assert.equal(one.text, other.text, method);
  }
});
