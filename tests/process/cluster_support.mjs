// Clusters of real processes with a real etcd, as people start them, and what is asked of them.
import assert from 'node:assert/strict';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { exchange, modern } from './raw_http.mjs';
import { Program, deadlineMs, environment, quiver, tempDir, until } from './support.mjs';

/// Longer than anything takes on a machine that does much else.
export const longMs = 3 * deadlineMs;
export const downAfterMs = 2000;
export const token = 'a token of the process tests';

/// The result of a tool, which may carry isError.
export async function tool(node, name, args = {}) {
  const reply = await exchange(
    node.mcp_url,
    modern('tools/call', { name, arguments: args }),
  );
  assert.ok(reply.message?.result, `${name}: ${reply.status} ${JSON.stringify(reply.message)}`);
  return reply.message.result;
}

export async function ok(node, name, args) {
  const result = await tool(node, name, args);
  assert.ok(!result.isError, `${name}: ${result.content?.[0]?.text}`);
  return result.structuredContent;
}

export async function refused(node, name, args) {
  const result = await tool(node, name, args);
  assert.ok(result.isError, `${name} succeeded: ${JSON.stringify(result.structuredContent)}`);
  return result.content[0].text;
}

export const isAlive = (pid) => existsSync(`/proc/${pid}`) && !/\) Z /.test(readStat(pid));
function readStat(pid) {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'latin1');
  } catch {
    return ') Z ';
  }
}

/// Processes that work in `directory`: whatever names it on its command line.
export function processesOf(directory) {
  return readdirSync('/proc').filter((pid) => {
    if (!/^\d+$/.test(pid)) return false;
    try {
      return readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes(directory) && isAlive(pid);
    } catch {
      return false;
    }
  });
}

export async function freePorts(count) {
  const servers = [];
  for (let i = 0; i < count; ++i) {
    const server = createServer();
    await new Promise((done) => server.listen(0, '127.0.0.1', done));
    servers.push(server);
  }
  const ports = servers.map((server) => server.address().port);
  await Promise.all(servers.map((server) => new Promise((done) => server.close(done))));
  return ports;
}

/// Starts `quiver dev`; the end of the test takes it with it. {directory, nodes, etcd, program}
export async function dev(t, count, home = tempDir()) {
  const directory = join(home, 'dev');
  const env = environment(home, {
    QV_CLUSTER_HEARTBEAT_MS: '200',
    QV_CLUSTER_DOWN_AFTER_MS: String(downAfterMs),
    QV_CLUSTER_LEASE_S: '3',
  });
  const args = ['dev', '--nodes', String(count), '--data', directory];
  const program = new Program(quiver, args, { env });
  t.after(async () => {
    program.kill('SIGTERM');
    await program.exit();
    assert.deepEqual(processesOf(directory), [], 'nothing is left running');
  });
  const file = join(directory, 'nodes.json');
  await until(
    () =>
      (existsSync(file) && JSON.parse(readFileSync(file)).pid === program.child.pid) ||
      program.child.exitCode !== null,
    'the cluster starts',
    longMs,
  );
  assert.equal(program.child.exitCode, null, program.stderr);
  return { directory, env, program, ...JSON.parse(readFileSync(file)) };
}

/// A server started by hand, as people do; `stop()` ends it.
export function serve(t, env, args) {
  const program = new Program(quiver, ['serve', ...args], { env });
  t.after(async () => {
    if (program.child.exitCode === null) program.kill('SIGKILL');
    await program.exited;
  });
  return program;
}

export const plain = () => environment(tempDir());
/// In which the file alone decides.
export const withoutSettings = (env) =>
  Object.fromEntries(Object.entries(env).filter(([name]) => !name.startsWith('QV_')));

function random(seed) {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  };
}

export function points(count) {
  const next = random(7);
  return Array.from({ length: count }, (_, i) => ({
    id: i,
    vector: Array.from({ length: 8 }, () => Math.fround(next())),
  }));
}

export function nearest(all, vector, k) {
  const distance = (point) =>
    point.vector.reduce((sum, x, d) => sum + (x - vector[d]) * (x - vector[d]), 0);
  return all
    .map((point) => ({ id: point.id, distance: distance(point) }))
    .sort((a, b) => a.distance - b.distance)
    .slice(0, k)
    .map(({ id }) => id);
}

export const ids = (answer) => answer.hits.map(({ id }) => id);
export const search = (vector, more = {}) => ({
  collection: 'pond',
  vector,
  limit: 10,
  exact: true,
  ...more,
});

export async function fill(node, all) {
  for (let start = 0; start < all.length; start += 100) {
    await ok(node, 'vector_upsert', { collection: 'pond', points: all.slice(start, start + 100) });
  }
}

export const makePond = (node) =>
  ok(node, 'collection_create', { name: 'pond', dimension: 8, metric: 'euclidean', shards: 6 });
