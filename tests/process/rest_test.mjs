// REST as programs without an SDK see it: the operations as JSON over HTTP, what is refused and how,
// health and figures, against the real binary.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { createServer, request } from 'node:http';
import { join } from 'node:path';
import { test } from 'node:test';
import { exchange, modern } from './raw_http.mjs';
import {
  Program,
  deadlineMs,
  environment,
  quiver,
  randomSource,
  startHttp,
  tempDir,
  until,
  withDeadline,
} from './support.mjs';

/// Longer than anything takes on a machine that does much else.
const longMs = 3 * deadlineMs;

/// {status, headers, body}: the body parsed if it is JSON. A string is sent as it is.
function call(base, method, path, body, headers = {}) {
  const sent = body === undefined || typeof body === 'string' ? body : JSON.stringify(body);
  const length = { 'content-length': Buffer.byteLength(sent ?? '') };
  const type = sent === undefined ? {} : { 'content-type': 'application/json', ...length };
  const answer = new Promise((resolve, reject) => {
    const options = { method, headers: { ...type, ...headers } };
    const asking = request(`${base}${path}`, options, (reply) => {
      let text = '';
      reply.setEncoding('utf8');
      reply.on('data', (chunk) => {
        text += chunk;
      });
      reply.on('end', () => {
        const isJson = /json/.test(reply.headers['content-type'] ?? '') && text !== '';
        const { statusCode: status, headers: got } = reply;
        resolve({ status, headers: got, body: isJson ? JSON.parse(text) : text });
      });
      reply.on('error', reject);
    });
    asking.on('error', reject);
    asking.end(sent);
  });
  return withDeadline(answer, `${method} ${path}`);
}

async function ok(base, method, path, body, headers) {
  const reply = await call(base, method, path, body, headers);
  assert.equal(reply.status, 200, `${method} ${path}: ${JSON.stringify(reply.body)}`);
  assert.match(reply.headers['content-type'], /^application\/json/);
  return reply.body;
}

/// The sentence of a problem, which must be one of that status and code.
async function refused(base, status, code, method, path, body, headers) {
  const reply = await call(base, method, path, body, headers);
  assert.equal(reply.status, status, `${method} ${path}: ${JSON.stringify(reply.body)}`);
  assert.match(reply.headers['content-type'], /^application\/problem\+json/);
  assert.equal(reply.body.status, status);
  assert.equal(reply.body.code, code);
  assert.equal(reply.body.type, 'about:blank');
  assert.equal(typeof reply.body.title, 'string');
  assert.equal(typeof reply.body.retryable, 'boolean');
  return reply.body.detail;
}

const baseOf = (server) => new URL(server.url).origin;

/// The figure of a series of /metrics, undefined if it is not there.
async function figures(base) {
  const reply = await call(base, 'GET', '/metrics');
  assert.equal(reply.status, 200);
  assert.match(reply.headers['content-type'], /^text\/plain; version=0\.0\.4/);
  const out = new Map();
  for (const line of reply.body.trimEnd().split('\n')) {
    if (line.startsWith('# HELP ') || line.startsWith('# TYPE ')) continue;
    const match = /^([a-z_]+(?:\{(?:[a-z]+="(?:[^"\\]|\\.)*",?)*\})?) (\S+)$/.exec(line);
    assert.ok(match, `not a line of Prometheus' format: ${line}`);
    assert.ok(!out.has(match[1]), `${match[1]} is there twice`);
    assert.ok(Number.isFinite(Number(match[2])), line);
    out.set(match[1], Number(match[2]));
  }
  return out;
}

test('the life of a collection of vectors, checked by brute force', async (t) => {
  const base = baseOf(await startHttp(t, environment(tempDir())));
  const collections = '/api/v1/collections';
  const made = await ok(base, 'PUT', `${collections}/docs`, { dimension: 4, metric: 'euclidean' });
  assert.equal(made.exists, false);
  assert.equal((await ok(base, 'PUT', `${collections}/docs`, { dimension: 4, metric: 'euclidean' })).exists, true);
  await refused(base, 409, 'already_exists', 'PUT', `${collections}/docs`, { dimension: 5 });

  const random = randomSource(11);
  const points = Array.from({ length: 60 }, (_, i) => ({
    id: i % 2 ? i : `naïve/${i} 点`,
    vector: Array.from({ length: 4 }, () => Math.fround(random.next())),
    metadata: { third: i % 3 === 0 },
  }));
  const stored = await ok(base, 'POST', `${collections}/docs/points`, { points });
  assert.deepEqual(stored, { upserted: 60, created: 60 });

  const vector = [0.5, 0.5, 0.5, 0.5];
  const distance = (p) => p.vector.reduce((sum, x, d) => sum + (x - vector[d]) ** 2, 0);
  const nearest = points
    .filter((p) => p.metadata.third)
    .sort((a, b) => distance(a) - distance(b))
    .slice(0, 5)
    .map((p) => p.id);
  const found = await ok(base, 'POST', `${collections}/docs/points/search`, {
    vector,
    limit: 5,
    exact: true,
    filter: { third: true },
  });
  assert.deepEqual(found.hits.map((hit) => hit.id), nearest);

  const count = { count_only: true };
  assert.equal((await ok(base, 'POST', `${collections}/docs/points/scroll`, count)).count, 60);
  const gone = { ids: [points[0].id, points[1].id, 'never stored'] };
  const deleted = await ok(base, 'POST', `${collections}/docs/memories/delete`, gone);
  assert.equal(deleted.deleted, 2);
  assert.equal((await ok(base, 'GET', `${collections}/docs`)).count, 58);
  const listed = await ok(base, 'GET', `${collections}?limit=1`);
  assert.equal(listed.collections[0].name, 'docs');

  const sentence = await refused(base, 400, 'invalid_argument', 'DELETE', `${collections}/docs`);
  assert.match(sentence, /^confirm: required/);
  const dropped = await ok(base, 'DELETE', `${collections}/docs?confirm=docs`);
  assert.deepEqual(dropped, { deleted: true, points: 58 });
  await refused(base, 404, 'not_found', 'GET', `${collections}/docs`);
});

test('texts are found by meaning, and REST and MCP see the same', async (t) => {
  const server = await startHttp(t, environment(tempDir()));
  const base = baseOf(server);
  const items = [
    { text: 'The cat sleeps on the warm windowsill.', id: 'cat' },
    { text: 'Interest rates were raised by a quarter point.', id: 'rates' },
  ];
  const memories = '/api/v1/collections/memory/memories';
  assert.equal((await ok(base, 'POST', memories, { items })).stored, 2);
  const query = { query: 'a pet that naps', limit: 1 };
  const found = await ok(base, 'POST', '/api/v1/collections/memory/search', query);
  assert.deepEqual(found.hits.map((hit) => hit.id), ['cat']);
  const read = await ok(base, 'POST', `${memories}/get`, { ids: ['rates'] });
  assert.equal(read.items[0].text, items[1].text);
  const tool = modern('tools/call', { name: 'memory_search', arguments: query });
  const { message } = await exchange(server.url, tool);
  assert.deepEqual(message.result.structuredContent, found);
});

test('a write that is repeated with its key takes effect once', async (t) => {
  const base = baseOf(await startHttp(t, environment(tempDir())));
  await ok(base, 'PUT', '/api/v1/collections/docs', { dimension: 2 });
  const points = '/api/v1/collections/docs/points';
  const key = { 'idempotency-key': randomUUID() };
  const first = await ok(base, 'POST', points, { points: [{ id: 1, vector: [1, 0] }] }, key);
  const again = await ok(base, 'POST', points, { points: [{ id: 1, vector: [1, 0] }] }, key);
  assert.deepEqual(again, first);
  assert.equal(again.created, 1);
  const other = await ok(base, 'POST', points, { points: [{ id: 1, vector: [1, 0] }] });
  assert.equal(other.created, 0);
});

test('what is wrong is said, with its status, and changes nothing', async (t) => {
  const base = baseOf(await startHttp(t, environment(tempDir())));
  await ok(base, 'PUT', '/api/v1/collections/docs', { dimension: 2 });
  const bad = (method, path, body, headers) =>
    refused(base, 400, 'invalid_argument', method, path, body, headers);
  const points = '/api/v1/collections/docs/points';
  assert.match(await bad('POST', points, '{"points":'), /^body: not valid JSON/);
  assert.match(await bad('POST', points, '[]'), /^body: expected an object, got array/);
  assert.match(await bad('POST', points, { point: [] }), /did you mean points/);
  assert.match(
    await bad('POST', points, { points: [{ id: 1, vector: [1, 2, 3] }] }),
    /dimension|2 numbers/,
  );
  assert.match(await bad('POST', points, { collection: 'docs', points: [] }), /the path has it/);
  assert.match(await bad('GET', '/api/v1/collections?limit=many'), /limit: expected an integer/);
  assert.match(await bad('GET', '/api/v1/collections?limit=501'), /between 1 and 500, got 501/);
  assert.match(await bad('GET', '/api/v1/collections?size=3'), /size: unknown field/);
  assert.match(await bad('GET', '/api/v1/collections/%ff'), /UTF-8/);
  assert.match(await bad('DELETE', '/api/v1/collections/docs', {}), /takes no body/);
  assert.match(
    await bad('POST', points, { points: [] }, { 'idempotency-key': 'mine' }),
    /Idempotency-Key/,
  );
  await refused(base, 404, 'not_found', 'GET', '/api/v1/nothing');
  await refused(base, 404, 'not_found', 'GET', '/nothing');
  await refused(base, 404, 'not_found', 'GET', '/api/v1/cluster/nodes/nobody');
  const wrong = await call(base, 'PATCH', '/api/v1/collections');
  assert.equal(wrong.status, 405);
  assert.equal(wrong.headers.allow, 'GET, HEAD');
  const text = { 'content-type': 'text/plain' };
  await refused(base, 415, 'invalid_argument', 'POST', points, '{}', text);
  const host = { host: 'evil.example' };
  await refused(base, 403, 'permission_denied', 'GET', '/api/v1/collections', undefined, host);
  const origin = { origin: 'https://evil.example' };
  await refused(base, 403, 'permission_denied', 'GET', '/api/v1/collections', undefined, origin);
  // A server that is alone has nobody to add.
  await refused(base, 412, 'failed_precondition', 'POST', '/api/v1/cluster/nodes', {
    address: '127.0.0.1:1',
  });
  assert.equal((await ok(base, 'GET', '/api/v1/collections/docs')).count, 0);
});

test('a body beyond the limit is refused', async (t) => {
  const env = environment(tempDir(), { QV_SERVER_MAX_MESSAGE_MB: '1' });
  const base = baseOf(await startHttp(t, env));
  const body = JSON.stringify({ points: 'x'.repeat(1 << 20) });
  const reply = await call(base, 'POST', '/api/v1/collections/docs/points', body);
  assert.equal(reply.status, 413);
  assert.match(reply.headers['content-type'], /^application\/problem\+json/);
});

test('the cluster of one shows itself', async (t) => {
  const base = baseOf(await startHttp(t, environment(tempDir())));
  await ok(base, 'PUT', '/api/v1/collections/docs', { dimension: 2, shards: 3 });
  const { nodes, epoch } = await ok(base, 'GET', '/api/v1/cluster/nodes');
  assert.equal(nodes.length, 1);
  assert.equal(nodes[0].up, true);
  assert.ok(epoch >= 0);
  const one = await ok(base, 'GET', `/api/v1/cluster/nodes/${encodeURIComponent(nodes[0].id)}`);
  assert.equal(one.nodes[0].id, nodes[0].id);
  const spread = await ok(base, 'GET', '/api/v1/cluster/shard-distribution?collection=docs');
  assert.deepEqual(spread.shards.map(({ shard }) => shard), [0, 1, 2]);
  await refused(base, 404, 'not_found', 'GET', '/api/v1/cluster/shard-distribution?collection=no');
});

test('read_only and switched off operations hold here too', async (t) => {
  const home = tempDir();
  const server = await startHttp(t, environment(home, { QV_MCP_READ_ONLY: 'true' }));
  const base = baseOf(server);
  const sentence = await refused(base, 403, 'permission_denied', 'PUT', '/api/v1/collections/docs');
  assert.match(sentence, /mcp\.read_only is true/);
  assert.deepEqual((await ok(base, 'GET', '/api/v1/collections')).collections, []);
  const document = await ok(base, 'GET', '/api/v1/openapi.json');
  assert.ok(!document.paths['/api/v1/collections/{name}']);
  assert.ok(document.paths['/api/v1/collections/{collection}'].get);
});

test('openapi.json describes what is there', async (t) => {
  const base = baseOf(await startHttp(t, environment(tempDir())));
  const document = await ok(base, 'GET', '/api/v1/openapi.json');
  assert.equal(document.openapi, '3.1.0');
  let count = 0;
  for (const [path, operations] of Object.entries(document.paths)) {
    for (const method of Object.keys(operations)) {
      // Whatever it is called with, a route that is described is there.
      const place = path.replace(/\{[a-z_]+\}/g, 'none');
      const reply = await call(base, method.toUpperCase(), place);
      assert.notEqual(reply.status, 405, `${method} ${path}`);
      if (reply.status === 404) assert.doesNotMatch(reply.body.detail, /openapi\.json/);
      count += 1;
    }
  }
  assert.ok(count >= 20, `${count} routes`);
});

test('health, readiness and figures', async (t) => {
  const base = baseOf(await startHttp(t, environment(tempDir())));
  assert.equal((await ok(base, 'GET', '/healthz')).status, 'ok');
  assert.equal((await ok(base, 'GET', '/readyz')).status, 'ready');
  assert.equal((await call(base, 'HEAD', '/healthz')).body, '');
  const pod = { host: '10.0.0.1:7600' };
  assert.equal((await call(base, 'GET', '/readyz', undefined, pod)).status, 200);
  assert.equal((await call(base, 'GET', '/metrics', undefined, pod)).status, 403);
  await ok(base, 'PUT', '/api/v1/collections/docs', { dimension: 2, shards: 2 });
  await refused(base, 404, 'not_found', 'GET', '/api/v1/collections/none');

  const all = await figures(base);
  assert.equal(all.get('quiver_ready'), 1);
  assert.equal(all.get('quiver_collections'), 1);
  assert.equal(all.get('quiver_shards'), 2);
  assert.equal(all.get('quiver_operations_total{operation="collection_create",outcome="ok"}'), 1);
  assert.equal(
    all.get('quiver_operations_total{operation="collection_info",outcome="not_found"}'),
    1,
  );
  const route = 'route="/api/v1/collections/{name}"';
  assert.equal(all.get(`quiver_http_requests_total{method="PUT",${route},status="200"}`), 1);
  assert.equal(all.get(`quiver_http_request_seconds_count{${route}}`), 1);
  assert.equal(all.get(`quiver_http_request_seconds_bucket{${route},le="+Inf"}`), 1);
  assert.ok(all.get('process_resident_memory_bytes') > 1e6);
  assert.ok(all.get('process_cpu_seconds_total') >= 0);
  assert.ok(Math.abs(all.get('process_start_time_seconds') - Date.now() / 1000) < 600);
});

/// Ports that were free just now.
async function freePorts(count) {
  const servers = Array.from({ length: count }, () => createServer());
  for (const server of servers) {
    await new Promise((done) => server.listen(0, '127.0.0.1', done));
  }
  const ports = servers.map((server) => server.address().port);
  for (const server of servers) await new Promise((done) => server.close(done));
  return ports;
}

test('a server that waits for its cluster lives, and is not ready', async (t) => {
  const [http, rpc, nobody] = await freePorts(3);
  const settings = {
    'server.port': http,
    'cluster.coordination': 'etcd',
    'cluster.endpoints': `http://127.0.0.1:${nobody}`,
    'cluster.port': rpc,
  };
  const args = Object.entries(settings).flatMap(([key, value]) => ['--set', `${key}=${value}`]);
  const env = environment(tempDir(), { QV_CLUSTER_TOKEN: 'a token of the process tests' });
  const program = new Program(quiver, ['serve', ...args], { env });
  t.after(async () => {
    if (program.child.exitCode === null) program.kill('SIGKILL');
    await program.exited;
  });
  await until(() => {
    assert.equal(program.child.exitCode, null, program.stderr);
    return (program.stdout + program.stderr).includes(`http://127.0.0.1:${http}/mcp`);
  }, 'serve names its URL');
  const base = `http://127.0.0.1:${http}`;
  assert.equal((await ok(base, 'GET', '/healthz')).status, 'ok');
  const sentence = await refused(base, 503, 'unavailable', 'GET', '/readyz');
  assert.match(sentence, /\S/);
  assert.equal((await figures(base)).get('quiver_ready'), 0);
});

test('a cluster is administered over REST', { timeout: 600_000 }, async (t) => {
  const home = tempDir();
  const directory = join(home, 'dev');
  const args = ['dev', '--nodes', '2', '--data', directory];
  const program = new Program(quiver, args, { env: environment(home) });
  t.after(async () => {
    program.kill('SIGTERM');
    await program.exit();
  });
  const file = join(directory, 'nodes.json');
  await until(() => existsSync(file) || program.child.exitCode !== null, 'it starts', longMs);
  assert.equal(program.child.exitCode, null, program.stderr);
  const bases = JSON.parse(readFileSync(file)).nodes.map((node) => new URL(node.mcp_url).origin);
  for (const base of bases) {
    await until(async () => (await call(base, 'GET', '/readyz')).status === 200, 'it is ready');
  }
  const [first, second] = bases;
  const { nodes } = await ok(first, 'GET', '/api/v1/cluster/nodes');
  assert.equal(nodes.length, 2);
  for (const key of ['id', 'name', 'state', 'up', 'rpc_address', 'http_address', 'shards']) {
    assert.ok(key in nodes[0], key);
  }
  const byName = await ok(second, 'GET', `/api/v1/cluster/nodes/${nodes[1].name}`);
  assert.deepEqual(byName.nodes.map(({ id }) => id), [nodes[1].id]);
  await refused(first, 404, 'not_found', 'GET', '/api/v1/cluster/nodes/nobody');
  await refused(first, 404, 'not_found', 'DELETE', '/api/v1/cluster/nodes/nobody');
  await refused(first, 404, 'not_found', 'GET', '/api/v1/cluster/operations/none');
  // Without dry_run=false a removal only says what it would do.
  const removal = await ok(first, 'DELETE', `/api/v1/cluster/nodes/${nodes[1].id}`);
  assert.equal(removal.state, 'active');
  assert.ok(!removal.operation_id);

  await ok(first, 'PUT', '/api/v1/collections/docs', { dimension: 2, shards: 4 });
  const points = Array.from({ length: 40 }, (_, i) => ({ id: i, vector: [i, 1] }));
  await ok(second, 'POST', '/api/v1/collections/docs/points', { points });
  const spread = '/api/v1/cluster/shard-distribution?collection=docs';
  const { shards } = await ok(first, 'GET', spread);
  const plan = await ok(first, 'POST', '/api/v1/cluster/rebalance');
  assert.equal(plan.move_count, 0);
  const from = shards[0].copies[0].node;
  const to = nodes.find(({ name }) => name !== from).name;
  const asked = { collection: 'docs', shard: 0, to };
  const { operation_id: operation } = await ok(first, 'POST', '/api/v1/cluster/moves', asked);
  await until(
    async () => (await ok(second, 'GET', `/api/v1/cluster/operations/${operation}`)).state === 'done',
    'the shard has moved',
    longMs,
  );
  await until(
    async () => (await ok(second, 'GET', spread)).shards[0].copies[0].node === to,
    'the map shows it',
  );
  assert.equal((await ok(first, 'GET', '/api/v1/collections/docs')).count, 40);
  const all = await figures(first);
  assert.equal([...all.keys()].filter((key) => key.startsWith('quiver_node_up{')).length, 2);
  assert.ok(all.get('quiver_epoch') > 0);
});
