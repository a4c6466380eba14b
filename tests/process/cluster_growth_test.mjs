// A cluster that grows and shrinks, managed by tools alone, while others read and write.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { inspectorCli } from './client_faces.mjs';
import {
  dev,
  fill,
  freePorts,
  ids,
  isAlive,
  longMs,
  makePond,
  nearest,
  ok,
  plain,
  points,
  refused,
  search,
  serve,
  withoutSettings,
} from './cluster_support.mjs';
import { tempDir, until } from './support.mjs';

/// A server that is started by hand, as one more of a cluster of `quiver dev`.
async function newcomer(t, cluster, label) {
  const [http, rpc] = await freePorts(2);
  const dataDir = join(tempDir(), 'data');
  const settings = {
    data_dir: dataDir,
    'server.port': http,
    'mcp.toolsets': 'memory,collection,vector,cluster',
    'cluster.coordination': 'etcd',
    'cluster.name': cluster.cluster,
    'cluster.endpoints': cluster.etcd.url,
    'cluster.nodes': cluster.nodes[0].thrift_address,
    'cluster.token_file': cluster.token_file,
    'cluster.port': rpc,
    'cluster.label': label,
  };
  const args = Object.entries(settings).flatMap(([key, value]) => ['--set', `${key}=${value}`]);
  return {
    label,
    start: () => serve(t, plain(), args),
    address: `127.0.0.1:${rpc}`,
    mcp_url: `http://127.0.0.1:${http}/mcp`,
  };
}

/// The inspector's command line as a person's hand.
function operator(node) {
  const cli = inspectorCli({ url: node.mcp_url }, 'auto');
  return async (name, args) => {
    const result = await cli.call(name, args);
    assert.ok(!result.isError, `${name}: ${result.content?.[0]?.text}`);
    return result.structuredContent;
  };
}

/// Reads and writes without a pause until `stop()`, which gives the number of each. Every point
/// whose write was acknowledged must be found by its own vector, by whichever node is asked.
function traffic(nodes, stored) {
  let goes = true;
  let reads = 0;
  let writes = 0;
  const more = points(stored.length + 20_000).slice(stored.length);
  const known = [...stored];
  const read = async () => {
    for (let i = 0; goes; ++i) {
      const point = known[(i * 7919) % known.length];
      const node = nodes[i % nodes.length];
      const found = await ok(node, 'vector_search', search(point.vector));
      assert.ok(ids(found).includes(point.id), `${point.id} is missed on ${node.label}`);
      reads += 1;
    }
  };
  const write = async () => {
    for (let i = 0; goes && i < more.length; ++i) {
      const node = nodes[i % nodes.length];
      await ok(node, 'vector_upsert', { collection: 'pond', points: [more[i]] });
      known.push(more[i]);
      writes += 1;
    }
  };
  const work = Promise.all([read(), write()]);
  // Told at stop(), not as a rejection that nobody waits for.
  work.catch(() => {});
  return {
    stop: async () => {
      goes = false;
      await work;
      return { reads, writes, known };
    },
  };
}

/// What all nodes say of the map once they agree.
async function sharedMap(nodes) {
  return await until(async () => {
    const maps = [];
    for (const node of nodes) {
      maps.push(await ok(node, 'cluster_get_shard_distribution', { collection: 'pond' }));
    }
    const [first] = maps;
    if (maps.some(({ epoch }) => epoch !== first.epoch)) return false;
    for (const map of maps) {
      assert.deepEqual(map.shards, first.shards);
      assert.equal(map.advice, undefined, 'the whole map is shown');
    }
    return first;
  }, 'all nodes are at one epoch');
}

async function ended(call, operation) {
  return await until(
    async () => {
      const report = await call('cluster_get_operation', { operation_id: operation });
      assert.notEqual(report.state, 'failed', JSON.stringify(report.moves[0]));
      return report.state === 'done' && report;
    },
    `operation ${operation} ends`,
    longMs,
  );
}

test('grows from 3 to 5 and shrinks to 4, by tools, under load', { timeout: 900_000 }, async (t) => {
  const cluster = await dev(t, 3);
  const call = operator(cluster.nodes[0]);
  const stored = points(600);
  await call('collection_create', {
    name: 'pond',
    dimension: 8,
    metric: 'euclidean',
    shards: 32,
  });
  await fill(cluster.nodes[1], stored);
  assert.equal((await call('cluster_list_nodes', {})).nodes.length, 3);
  const before = await sharedMap(cluster.nodes);
  const balanced = await call('cluster_rebalance', {});
  assert.equal(balanced.move_count, 0);
  assert.equal(balanced.plan_id, undefined);

  const nodes = [...cluster.nodes];
  const asked = [...cluster.nodes];
  const load = traffic(asked, stored);
  let map = before;
  // 32 shards are 11, 11, 10 on three nodes, 8 each on four, 6 or 7 each on five: 8, then 6 move.
  for (const moves of [8, 6]) {
    const added = await newcomer(t, cluster, `node-${nodes.length + 1}`);
    const nobody = await refused(cluster.nodes[0], 'cluster_add_node', { address: added.address });
    assert.match(nobody, /no node of this cluster answers/);
    const program = added.start();
    const joined = await until(async () => {
      assert.equal(program.child.exitCode, null, program.stderr);
      const result = await inspectorCli({ url: cluster.nodes[0].mcp_url }, 'auto').call(
        'cluster_add_node',
        { address: added.address },
      );
      return !result.isError && result.structuredContent;
    }, `${added.label} is added`);
    assert.equal(joined.name, added.label);
    nodes.push({ ...added, program, id: joined.id });

    const plan = await call('cluster_rebalance', { dry_run: true });
    assert.equal(plan.move_count, moves);
    assert.equal(plan.operation_id, undefined);
    assert.deepEqual((await sharedMap(nodes)).shards, map.shards, 'a plan moves nothing');
    const begun = await call('cluster_rebalance', { plan_id: plan.plan_id });
    const report = await ended(call, begun.operation_id);
    assert.equal(report.moves_done, moves);
    const after = await sharedMap(nodes);
    const moved = after.shards.filter((shard, i) => {
      const [was] = map.shards[i].copies;
      return was.node !== shard.copies[0].node;
    });
    assert.equal(moved.length, moves);
    assert.ok(after.max_over_mean <= 1.1, `${after.max_over_mean}`);
    map = after;
  }

  const [, leaving] = nodes;
  const held = map.shards.filter(({ copies }) => copies[0].node === leaving.label).length;
  const planned = await call('cluster_remove_node', { node_id: leaving.label });
  assert.equal(planned.move_count, held);
  assert.equal(planned.operation_id, undefined);
  assert.equal((await call('cluster_list_nodes', {})).nodes.length, 5);
  // Whoever is removed ends: clients go elsewhere before.
  asked.splice(asked.indexOf(leaving), 1);
  const removal = await call('cluster_remove_node', { node_id: leaving.label, dry_run: false });
  const report = await ended(call, removal.operation_id);
  assert.equal(report.moves_done, held);
  const { reads, writes, known } = await load.stop();
  t.diagnostic(`${reads} searches and ${writes} writes beside it, none missed, none refused`);
  assert.ok(reads > 0 && writes > 0);

  const staying = nodes.filter((node) => node !== leaving);
  const last = await sharedMap(staying);
  assert.ok(last.max_over_mean <= 1.1, `${last.max_over_mean}`);
  const there = (await call('cluster_list_nodes', {})).nodes.map(({ name }) => name).sort();
  assert.deepEqual(there, staying.map(({ label }) => label).sort());
  for (const node of staying) {
    const { count } = await ok(node, 'vector_scroll', { collection: 'pond', count_only: true });
    assert.equal(count, known.length, node.label);
    for (const { vector } of known.slice(-10)) {
      const found = await ok(node, 'vector_search', search(vector));
      assert.deepEqual(ids(found), nearest(known, vector, 10));
    }
  }

  // What is gone stays out, and what is not there is named.
  assert.match(
    await refused(staying[0], 'cluster_remove_node', { node_id: leaving.id }),
    /was removed/,
  );
  assert.match(
    await refused(staying[0], 'cluster_remove_node', { node_id: 'node-9', dry_run: false }),
    /no node .*node-9/,
  );
  await until(() => !isAlive(leaving.pid), 'the removed server has ended by itself');
  const returned = serve(t, withoutSettings(plain()), ['--config', leaving.config]);
  const { code } = await returned.exit();
  assert.equal(code, 1);
  assert.match(returned.stderr, /was removed/);
  for (const { program } of staying.filter((node) => node.program)) {
    program.kill('SIGTERM');
    assert.equal((await program.exit()).code, 0);
  }
});

test('five nodes answer as one list would, ties included', { timeout: 600_000 }, async (t) => {
  const cluster = await dev(t, 5);
  const [first] = cluster.nodes;
  await ok(first, 'collection_create', {
    name: 'pond',
    dimension: 4,
    metric: 'euclidean',
    shards: 16,
  });
  // A grid of 81 places with 8 or 9 points at each: whole numbers, so that equal is equal.
  const all = Array.from({ length: 700 }, (_, id) => ({
    id,
    vector: [0, 1, 2, 3].map((d) => (Math.floor(id / 3 ** d) % 3) - 1),
  }));
  await fill(first, all);
  const { shards } = await ok(first, 'cluster_get_shard_distribution', { collection: 'pond' });
  assert.equal(shards.length, 16);
  assert.equal(new Set(shards.map(({ copies }) => copies[0].node)).size, 5);
  for (const node of cluster.nodes) {
    for (const { vector } of all.slice(0, 81).filter((_, i) => i % 9 === 0)) {
      for (const limit of [1, 5, 30]) {
        const found = await ok(node, 'vector_search', search(vector, { limit }));
        assert.deepEqual(ids(found), nearest(all, vector, limit), `${node.label} ${vector}`);
      }
    }
  }
});

test('a minute without etcd', { timeout: 600_000 }, async (t) => {
  const cluster = await dev(t, 3);
  const stored = points(200);
  await makePond(cluster.nodes[0]);
  await fill(cluster.nodes[0], stored);
  await sharedMap(cluster.nodes);
  process.kill(cluster.etcd.pid, 'SIGSTOP');
  const load = traffic(cluster.nodes, stored);
  const began = Date.now();
  await until(() => Date.now() - began >= 60_000, 'a minute passes', 90_000);
  for (const node of cluster.nodes) process.kill(node.pid, 0);
  process.kill(cluster.etcd.pid, 'SIGCONT');
  // Back, everything that needs it works again, from every node.
  for (const [i, node] of cluster.nodes.entries()) {
    await until(
      async () => {
        try {
          await ok(node, 'collection_create', { name: `late-${i}`, dimension: 2 });
          return true;
        } catch (problem) {
          if (/unavailable|etcd|store/i.test(problem.message)) return false;
          throw problem;
        }
      },
      `${node.label} makes a collection`,
    );
  }
  const { reads, writes, known } = await load.stop();
  t.diagnostic(`${reads} searches and ${writes} writes, none missed, none refused`);
  assert.ok(reads > 0 && writes > 0);
  for (const node of cluster.nodes) {
    await until(
      async () => (await ok(node, 'collection_list')).collections.length === 4,
      `${node.label} sees all collections`,
    );
    const { count } = await ok(node, 'vector_scroll', { collection: 'pond', count_only: true });
    assert.equal(count, known.length);
  }
  await sharedMap(cluster.nodes);
});
