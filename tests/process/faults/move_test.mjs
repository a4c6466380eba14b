// Shards that move while clients work and one of those that take part is killed, cut off or told to
// stop. The network of the old server is made so slow that each phase lasts.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { longMs } from '../cluster_support.mjs';
import { until } from '../support.mjs';
import { counted, slowKbit, stones } from './ballast.mjs';
import { ask, attempt } from './calls.mjs';
import { Clients, collection, vectorOf } from './clients.mjs';
import { allUp, operationEnded, placement } from './fault_cluster.mjs';
import { everything, pond, seed, timeout } from './scenario.mjs';
import { allIsRight } from './verdict.mjs';

const shown = async (server, id) => {
  const { value } = await attempt(server, 'cluster_get_operation', { operation_id: id }, 5000);
  return value;
};

/// Begins to move shard 0 of `stones`: {id, from, to, third}
async function begin(cluster) {
  const { servers } = cluster;
  const [owner] = await placement(servers, 'stones');
  const from = servers.find(({ label }) => label === owner);
  const [to, third] = servers.filter((one) => one !== from);
  cluster.network.rate(from.host, slowKbit);
  const args = { collection: 'stones', shard: 0, to: to.label };
  const { operation_id: id } = await ask(third, 'cluster_move_shard', args);
  return { id, from, to, third };
}

/// The phase in which it is seen first once it copies.
const copies = (server, id) =>
  until(async () => {
    const report = await shown(server, id);
    const phase = report?.moves?.[0]?.phase;
    return ['copying', 'handing_over', 'done'].includes(phase) && phase;
  }, 'the move copies', longMs);

/// All of the ballast is there, and the shard is where the operation's outcome says.
async function assertWhole(cluster, { id, from, to, third }) {
  await allUp(cluster.servers);
  const report = await operationEnded(third, id);
  assert.ok(['done', 'failed'].includes(report.state), JSON.stringify(report));
  const [owner] = await placement(cluster.servers, 'stones');
  assert.equal(owner, report.state === 'done' ? to.label : from.label);
  for (const server of cluster.servers) {
    const { count } = await ask(server, 'vector_scroll', counted);
    assert.equal(count, cluster.ballast.length, `I8 through ${server.label}`);
  }
  return report.state;
}

test('one that takes part in a move is killed', { timeout, skip: everything }, async (t) => {
  const cluster = await stones(t);
  const clients = new Clients(cluster.servers, { seed });
  clients.start(3);
  for (const who of ['from', 'to', 'third']) {
    const move = await begin(cluster);
    const phase = await copies(move.third, move.id);
    await move[who].program.destroy();
    cluster.network.heal();
    move[who].start();
    await until(() => move[who].isReady(), `${move[who].label} is ready`, longMs);
    t.diagnostic(`${who} killed while ${phase}: the move is ${await assertWhole(cluster, move)}`);
  }
  await clients.stop();
  await allIsRight(t, cluster, clients, `seed ${seed}`);
});

test('a move across a network that is cut', { timeout, skip: everything }, async (t) => {
  const cluster = await stones(t);
  const { network } = cluster;
  const clients = new Clients(cluster.servers, { seed: seed + 1 });
  clients.start(3);
  for (const [what, cut] of [
    ['both ways', ({ from, to }) => network.part(from.host, to.host)],
    ['one way', ({ from, to }) => network.cut(from.host, to.host)],
    ['from etcd', ({ to }) => network.part(to.host, cluster.stores[0].host)],
  ]) {
    const move = await begin(cluster);
    const phase = await copies(move.third, move.id);
    cut(move);
    await clients.more(50);
    network.heal();
    t.diagnostic(`cut ${what} while ${phase}: the move is ${await assertWhole(cluster, move)}`);
  }
  await clients.stop();
  await allIsRight(t, cluster, clients, `seed ${seed + 1}`);
});

test('an operation is cancelled while it copies', { timeout, skip: everything }, async (t) => {
  const cluster = await stones(t);
  const move = await begin(cluster);
  await copies(move.third, move.id);
  const args = { operation_id: move.id };
  const answer = await attempt(move.third, 'cluster_cancel_operation', args);
  if (answer.outcome !== 'ok') assert.equal(answer.code, 'failed_precondition', answer.message);
  // Writes of the shard go on, wherever it is then.
  cluster.network.heal();
  await until(async () => {
    const report = await shown(move.third, move.id);
    return report && report.state !== 'running';
  }, 'the move has ended', longMs);
  const points = [{ id: cluster.ballast[0], vector: vectorOf(1), metadata: {} }];
  await ask(move.third, 'vector_upsert', { collection: 'stones', points });
  const [owner] = await placement(cluster.servers, 'stones');
  assert.ok([move.from.label, move.to.label].includes(owner));
  for (const server of cluster.servers) {
    const { count } = await ask(server, 'vector_scroll', counted);
    assert.equal(count, cluster.ballast.length);
  }
});

test('every shard moves under load', { timeout }, async (t) => {
  const cluster = await pond(t);
  const { servers } = cluster;
  const clients = new Clients(servers, { seed: seed + 2 });
  clients.start(5);
  await clients.more(100);
  let moves = 0;
  for (let shard = 0; shard < cluster.shards; ++shard) {
    const owner = (await placement(servers, collection))[shard];
    const at = servers.findIndex(({ label }) => label === owner);
    const to = servers[(at + 1) % servers.length].label;
    const asked = servers[(at + 2) % servers.length];
    const { operation_id: id } = await ask(asked, 'cluster_move_shard', { collection, shard, to });
    assert.equal((await operationEnded(asked, id)).state, 'done');
    moves += 1;
  }
  await clients.stop();
  // Nothing is away: whoever asked was answered.
  assert.deepEqual([...clients.problems], []);
  t.diagnostic(`${moves} moves beside ${clients.counts().ok} operations, none refused`);
  await allIsRight(t, cluster, clients, `seed ${seed + 2}`);
});
