// A primary is killed with SIGKILL, on three servers of one machine, ten times:
//   - from the kill until a write to each of its shards is acknowledged again
//   - searches at `eventual` that failed meanwhile
// Usage: cluster_failover.mjs QUIVER DIRECTORY [ROUNDS]. Clients call the servers that live.
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import {
  call, devCluster, prepared, spread, start, tool, until, vectorSource, wholeShards,
} from './cluster_calls.mjs';

const [quiver, directory, roundsText = '10'] = process.argv.slice(2);
const rounds = Number(roundsText);
const dim = 64;
const names = Array.from({ length: 6 }, (_, i) => `shard-${i}`);
/// As configuration has them unless it is told otherwise.
const downAfterSeconds = 3;
const leaseSeconds = 10;
const vector = vectorSource(dim);

rmSync(directory, { recursive: true, force: true });
mkdirSync(directory, { recursive: true });
const { child, nodes } = await devCluster(quiver, join(directory, 'cluster'), 3);
const servers = nodes.map((node) => ({ ...node, kill: () => process.kill(node.pid, 'SIGKILL') }));
// Of one shard each, so that who is asked for what is plain.
for (const name of names) {
  await tool(servers[0].mcp_url, 'collection_create', { name, dimension: dim, replicas: 2 });
  await wholeShards(servers[0].mcp_url, name, 2);
  const points = Array.from({ length: 200 }, (_, id) => ({ id, vector: vector() }));
  await tool(servers[0].mcp_url, 'vector_upsert', { collection: name, points });
}
const primaryOf = async (url, name) => {
  const { shards } = await tool(url, 'cluster_get_shard_distribution', { collection: name });
  return shards[0].copies.find(({ state }) => state === 'primary').node;
};

/// Writes one point after the other through `urls` until it is told to end; `acknowledged` has the
/// beginning and end of each write that was.
function writer(name, urls) {
  const state = { acknowledged: [], failed: [], ends: false };
  const body = () =>
    prepared('vector_upsert', { collection: name, points: [{ id: 1000, vector: vector() }] });
  state.work = (async () => {
    for (let i = 0; !state.ends; ++i) {
      const began = performance.now();
      try {
        await call(urls[i % urls.length], body());
        state.acknowledged.push({ began, ended: performance.now() });
      } catch (problem) {
        state.failed.push(problem.message);
      }
      await new Promise((done) => setTimeout(done, 10));
    }
  })();
  return state;
}

function searcher(urls, i) {
  const state = { done: 0, failed: [], worst: 0, ends: false };
  state.work = (async () => {
    for (let n = i; !state.ends; ++n) {
      const args = { collection: names[n % names.length], vector: vector(), limit: 10 };
      const ask = prepared('vector_search', { ...args, consistency: 'eventual' });
      const began = performance.now();
      try {
        await call(urls[n % urls.length], ask);
        state.done += 1;
      } catch (problem) {
        state.failed.push(problem.message);
      }
      state.worst = Math.max(state.worst, performance.now() - began);
      await new Promise((done) => setTimeout(done, 5));
    }
  })();
  return state;
}

const times = [];
const refusals = new Map();
let searches = 0;
let worst = 0;
let writesFailed = 0;
for (let round = 0; round < rounds; ++round) {
  const first = await primaryOf(servers[0].mcp_url, names[round % names.length]);
  const victim = servers.find(({ label }) => label === first);
  const others = servers.filter((server) => server !== victim);
  const urls = others.map((server) => server.mcp_url);
  const led = [];
  for (const name of names) {
    if ((await primaryOf(urls[0], name)) === victim.label) led.push(name);
  }
  const writers = new Map(led.map((name) => [name, writer(name, urls)]));
  const searchers = [0, 1, 2, 3].map((i) => searcher(urls, i));
  const warm = performance.now();
  await until(() => performance.now() - warm > 1000, 'clients are at work');
  const killed = performance.now();
  victim.kill();
  for (const [name, { acknowledged }] of writers) {
    const back = await until(() => acknowledged.find(({ began }) => began >= killed),
      `${name} takes writes again`);
    times.push((back.ended - killed) / 1000);
  }
  for (const one of [...writers.values(), ...searchers]) one.ends = true;
  for (const one of [...writers.values(), ...searchers]) await one.work;
  for (const one of searchers) {
    searches += one.done;
    worst = Math.max(worst, one.worst);
    for (const text of one.failed) refusals.set(text, (refusals.get(text) ?? 0) + 1);
  }
  for (const one of writers.values()) writesFailed += one.failed.length;
  const again = start(quiver, ['serve', '--config', victim.config]);
  victim.kill = () => again.child.kill('SIGKILL');
  victim.last = again;
  for (const name of names) await wholeShards(urls[0], name, 2);
  await until(async () => {
    const { nodes: listed } = await tool(urls[0], 'cluster_list_nodes', {});
    return listed.every(({ up }) => up);
  }, 'all servers are up');
}
const failed = [...refusals.values()].reduce((sum, count) => sum + count, 0);
console.log(`  kill -9 of a primary, ${rounds} rounds, ${times.length} shards: writes again after` +
  ` ${spread(times, 2)} s, down_after_ms being ${downAfterSeconds} s` +
  ` (goal <= lease_s and 1 s, ${leaseSeconds + 1} s); ${writesFailed} writes failed`);
console.log(`  searches at eventual meanwhile: ${searches} answered, ${failed} failed (goal 0),` +
  ` the slowest ${worst.toFixed(0)} ms`);
for (const [text, count] of refusals) console.log(`    ${count} x ${text}`);
for (const { last } of servers) last?.child.kill('SIGTERM');
child.kill('SIGTERM');
