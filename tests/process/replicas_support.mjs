// Clusters of `quiver dev` whose collections have several copies of each shard, and whose servers
// are killed and started again.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { attempt } from './faults/calls.mjs';
import { collection, dimension } from './faults/clients.mjs';
import {
  dev, fill, ids, isAlive, longMs, nearest, ok, points, search, serve, withoutSettings,
} from './cluster_support.mjs';
import { leader, shardRecords, untilWhole } from './shard_records.mjs';
import { tempDir, until } from './support.mjs';

/// Of the last lines of logs so many are shown when a test fails.
const logLines = 25;

/// A cluster and, in it, the collection that Clients write, with `replicas` copies of each of
/// `shards`. Beside what dev() gives, each of `nodes` has kill(), end(), start(), joined() and
/// story(): all that it has logged.
export async function replicated(t, { replicas, shards = 3, servers = 3 }) {
  const programs = [];
  // Before the hooks of dev() and of serve(): what was started by hand ends first.
  t.after(async () => {
    for (const program of programs) program.kill('SIGKILL');
    await Promise.all(programs.map((program) => program.exited));
  });
  const cluster = await dev(t, servers, tempDir());
  for (const node of cluster.nodes) equip(t, cluster, node, programs);
  t.after(() => {
    if (t.passed !== false) return;
    for (const node of cluster.nodes) t.diagnostic(`${node.label}: ${tail(node.story())}`);
  });
  await ok(cluster.nodes[0], 'collection_create', {
    name: collection, dimension, metric: 'euclidean', shards, replicas,
  });
  const whole = (nodes = cluster.nodes, ms = longMs) =>
    untilWhole(cluster.etcd.url, replicas, nodes.map(({ id }) => id), ms);
  await whole();
  return Object.assign(cluster, { replicas, shards, whole });
}

const tail = (text) =>
  text.split('\n').filter((line) => /^\d{4}-/.test(line)).slice(-logLines).join('\n');

function equip(t, cluster, node, programs) {
  let program;
  let earlier = '';
  node.kill = async () => {
    if (program) {
      program.kill('SIGKILL');
      await program.exited;
      return;
    }
    process.kill(node.pid, 'SIGKILL');
    await until(() => !isAlive(node.pid), `${node.label} has ended`);
  };
  /// As an operator ends it.
  node.end = async () => {
    process.kill(program?.pid ?? node.pid, 'SIGTERM');
    if (program) assert.equal((await program.exit()).code, 0);
    else await until(() => !isAlive(node.pid), `${node.label} has ended`);
  };
  node.start = () => {
    earlier += program?.stderr ?? '';
    program = serve(t, withoutSettings(cluster.env), ['--config', node.config]);
    programs.push(program);
    return program;
  };
  node.story = () => readFileSync(node.log, 'utf8') + earlier + (program?.stderr ?? '');
  node.joined = () =>
    until(() => {
      assert.equal(program.child.exitCode, null, program.stderr);
      return program.stderr.includes('cluster_joined');
    }, `${node.label} joins again`, longMs);
}

/// The shards of Clients' collection, and the server that leads the first of them.
export async function firstLeader(cluster) {
  const [record] = await shardRecords(cluster.etcd.url);
  return cluster.nodes.find(({ id }) => id === leader(record));
}

/// A collection that nobody changes beside the other: what a search of it finds is known.
export class Stones {
  constructor(all) {
    this.all = all;
  }

  static async make(cluster, { count = 90, replicas = cluster.replicas } = {}) {
    const [first] = cluster.nodes;
    await ok(first, 'collection_create', {
      name: 'stones', dimension: 8, metric: 'euclidean', shards: 3, replicas,
    });
    const all = points(count);
    await until(async () => {
      const stored = { collection: 'stones', points: all };
      return (await attempt(first, 'vector_upsert', stored)).outcome === 'ok';
    }, 'the stones are stored', longMs);
    // A third is deleted, and must not be there again.
    const gone = all.filter((_, i) => i % 3 === 0).map(({ id }) => id);
    await ok(first, 'memory_delete', { collection: 'stones', ids: gone });
    const stones = new Stones(all.filter((_, i) => i % 3 !== 0));
    for (const node of cluster.nodes) await stones.settled(node);
    return stones;
  }

  /// Searches may show what was a short time ago: until `server` shows what is stored.
  async settled(server) {
    let right = 0;
    await until(async () => {
      try {
        right = (await this.found(server, right)) ? right + 1 : 0;
      } catch (problem) {
        if (problem.code !== 'ERR_ASSERTION') throw problem;
        right = 0;
      }
      return right === 20;
    }, `${server.label} finds all that is stored`, longMs);
  }

  /// Whether `server` answers a search; an answer must be what brute force says.
  async found(server, i = 0) {
    const { vector } = this.all[i % this.all.length];
    const call = await attempt(server, 'vector_search', search(vector, { collection: 'stones' }));
    if (call.outcome !== 'ok') return false;
    assert.deepEqual(ids(call.value), nearest(this.all, vector, 10), `by ${server.label}`);
    assert.equal(call.value.missing_shards, undefined);
    return true;
  }

  /// Searches through `servers` in turn until stop(), which gives how many were answered and not.
  watch(servers) {
    let goes = true;
    const seen = { answered: 0, refused: 0 };
    const work = (async () => {
      for (let i = 0; goes; ++i) {
        if (await this.found(servers[i % servers.length], i)) seen.answered += 1;
        else seen.refused += 1;
      }
    })();
    // Told at stop(), not as a rejection that nobody waits for.
    work.catch(() => {});
    return {
      seen,
      stop: async () => {
        goes = false;
        await work;
        return seen;
      },
    };
  }
}
