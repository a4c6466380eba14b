// Clusters of real processes with a real etcd, as people start them: `quiver dev`, `quiver serve`,
// `quiver cluster init`.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import {
  dev,
  downAfterMs,
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
  processesOf,
  refused,
  search,
  serve,
  token,
  tool,
  withoutSettings,
} from './cluster_support.mjs';
import { environment, run, tempDir, until } from './support.mjs';

test('three servers are one; one of them dies and returns', { timeout: 600_000 }, async (t) => {
  const cluster = await dev(t, 3);
  const [a, b, c] = cluster.nodes;
  assert.equal(new Set(cluster.nodes.map(({ id }) => id)).size, 3);
  for (const node of cluster.nodes) assert.ok(isAlive(node.pid));
  assert.ok(isAlive(cluster.etcd.pid));
  const all = points(400);
  await makePond(a);
  await fill(b, all);
  for (const node of [c, a, b]) {
    for (const { vector } of all.slice(0, 15)) {
      const found = await ok(node, 'vector_search', search(vector));
      assert.deepEqual(ids(found), nearest(all, vector, 10));
    }
    const { count } = await ok(node, 'vector_scroll', { collection: 'pond', count_only: true });
    assert.equal(count, 400);
  }

  const killed = Date.now();
  process.kill(c.pid, 'SIGKILL');
  for (const node of [a, b]) {
    await until(
      () => new RegExp(`peer_down.*${c.label}`).test(readFileSync(node.log, 'utf8')),
      `${node.label} sees that ${c.label} is down`,
    );
  }
  t.diagnostic(`down after ${Date.now() - killed} ms, configured ${downAfterMs}`);
  for (const node of [a, b]) {
    const [silent] = /peer_down.*silent_ms=(\d+)/.exec(readFileSync(node.log, 'utf8')).slice(1);
    assert.ok(Number(silent) >= downAfterMs, silent);
  }
  for (const node of [a, b]) {
    await until(async () => {
      const { nodes } = await ok(node, 'cluster_list_nodes');
      return nodes.every(({ name, up }) => up === (name !== c.label));
    }, `${node.label} lists ${c.label} as down`);
  }
  const [{ vector }] = all;
  const problem = await refused(a, 'vector_search', search(vector));
  assert.match(problem, /unavailable/i);
  assert.ok(problem.includes(c.label), problem);
  const part = await ok(b, 'vector_search', search(vector, { allow_partial: true }));
  assert.equal(part.missing_shards.length, 2);
  for (const { reason } of part.missing_shards) assert.ok(reason.includes(c.label), reason);
  assert.ok(part.hits.length > 0);

  // It takes its place over at once, though its sign of life is still there.
  const again = serve(t, withoutSettings(cluster.env), ['--config', c.config]);
  await until(() => again.stderr.includes('cluster_joined') || again.child.exitCode !== null,
    'it joins again');
  assert.equal(again.child.exitCode, null, again.stderr);
  for (const node of cluster.nodes) {
    const whole = await until(async () => {
      const answer = await tool(node, 'vector_search', search(vector));
      return !answer.isError && answer.structuredContent;
    }, `${node.label} answers`);
    assert.deepEqual(ids(whole), nearest(all, vector, 10));
    assert.equal(whole.missing_shards, undefined);
    await until(
      async () => (await ok(node, 'cluster_list_nodes')).nodes.every(({ up }) => up),
      `${node.label} lists all as up`,
    );
  }
  again.kill('SIGTERM');
  assert.equal((await again.exit()).code, 0);
});

test('a server that stands still holds nobody up', { timeout: 300_000 }, async (t) => {
  const cluster = await dev(t, 3);
  const [a, b, c] = cluster.nodes;
  const all = points(120);
  const [{ vector }] = all;
  await makePond(a);
  await fill(a, all);
  process.kill(c.pid, 'SIGSTOP');
  // Sent while it still counts as up: its socket takes the calls, and nothing comes back.
  const [part, whole] = await Promise.all([
    ok(a, 'vector_search', search(vector, { allow_partial: true })),
    refused(b, 'vector_search', search(vector)),
  ]);
  assert.equal(part.missing_shards.length, 2);
  for (const { reason } of part.missing_shards) assert.ok(reason.includes(c.label), reason);
  const missing = new Set(part.missing_shards.map(({ shard }) => shard));
  assert.equal(missing.size, 2);
  // What is left is what is nearest among the points of the other shards, in order.
  const order = nearest(all, vector, all.length);
  const places = ids(part).map((id) => order.indexOf(id));
  assert.deepEqual(places, places.toSorted((x, y) => x - y));
  assert.equal(new Set(places).size, 10);
  assert.match(whole, /unavailable/i);
  assert.ok(whole.includes(c.label), whole);
  await until(async () => {
    const { nodes } = await ok(a, 'cluster_list_nodes');
    return nodes.every(({ name, up }) => up === (name !== c.label));
  }, `${a.label} lists ${c.label} as down`);

  process.kill(c.pid, 'SIGCONT');
  for (const node of cluster.nodes) {
    const found = await until(async () => {
      const answer = await tool(node, 'vector_search', search(vector));
      return !answer.isError && answer.structuredContent;
    }, `${node.label} answers`);
    assert.deepEqual(ids(found), nearest(all, vector, 10));
  }
});

test('reads and writes go on without etcd', { timeout: 600_000 }, async (t) => {
  const cluster = await dev(t, 3);
  const [a, b, c] = cluster.nodes;
  const all = points(120);
  await makePond(a);
  await fill(a, all.slice(0, 40));
  for (const node of [b, c]) await ok(node, 'collection_info', { collection: 'pond' });
  process.kill(cluster.etcd.pid, 'SIGSTOP');
  await fill(b, all.slice(40, 80));
  // Longer than the lease: its keys are renewed, or put again, when it is back.
  await until(
    () => cluster.nodes.every(({ log }) => readFileSync(log, 'utf8').includes('lease_lost')),
    'all leases are lost',
  );
  for (const node of cluster.nodes) {
    const found = await ok(node, 'vector_search', search(all[1].vector));
    assert.deepEqual(ids(found), nearest(all.slice(0, 80), all[1].vector, 10));
  }
  process.kill(cluster.etcd.pid, 'SIGKILL');
  await fill(c, all.slice(80));
  for (const node of cluster.nodes) assert.ok(isAlive(node.pid), node.label);
  // `quiver dev` starts it again, and all is as before.
  await until(async () => {
    const made = await tool(b, 'collection_create', { name: 'late', dimension: 2 });
    return !made.isError;
  }, 'collections can be made again');
  for (const node of cluster.nodes) {
    await until(
      () => readFileSync(node.log, 'utf8').includes('sign_of_life_again'),
      `${node.label} shows that it lives`,
    );
    const { count } = await ok(node, 'vector_scroll', { collection: 'pond', count_only: true });
    assert.equal(count, 120);
    await until(
      async () => (await ok(node, 'collection_list')).collections.length === 2,
      `${node.label} sees the new collection`,
    );
  }
});

test('servers that do not belong are refused', { timeout: 600_000 }, async (t) => {
  const cluster = await dev(t, 1);
  const [first] = cluster.nodes;
  const wrongToken = join(cluster.directory, 'wrong');
  writeFileSync(wrongToken, token);
  const [http, rpc] = await freePorts(2);
  const settings = (more) => {
    const all = {
      data_dir: join(tempDir(), 'data'),
      'server.port': http,
      'cluster.coordination': 'etcd',
      'cluster.name': cluster.cluster,
      'cluster.endpoints': cluster.etcd.url,
      'cluster.nodes': first.thrift_address,
      'cluster.token_file': cluster.token_file,
      'cluster.port': rpc,
      ...more,
    };
    return Object.entries(all).flatMap(([key, value]) => ['--set', `${key}=${value}`]);
  };
  const ends = async (more) => {
    const ended = await run(['serve', ...settings(more)], plain());
    assert.notEqual(ended.code, 0, ended.stderr);
    assert.equal(ended.signal, null);
    return ended.stderr;
  };
  assert.match(await ends({ 'cluster.token_file': wrongToken }), /token/);
  assert.match(await ends({ 'cluster.name': 'lake' }), /another cluster/);
  assert.match(await ends({ 'cluster.label': first.label }), /cluster\.label/);
  assert.match(await ends({ data_dir: first.data_dir }), /owned by another process/);

  // A second process on the data of a server that runs, by a copy of its directory.
  const copy = join(tempDir(), 'copy');
  spawnSync('cp', ['-r', first.data_dir, copy]);
  assert.match(await ends({ data_dir: copy }), /another process is this server/);

  // What is right is let in, and takes leave when it is told to end.
  const second = serve(t, plain(), settings({}));
  await until(() => second.stderr.includes('cluster_joined') || second.child.exitCode !== null,
    'it joins');
  assert.equal(second.child.exitCode, null, second.stderr);
  second.kill('SIGTERM');
  assert.equal((await second.exit()).code, 0);
});

test('a server waits for the etcd that it is to use', { timeout: 300_000 }, async (t) => {
  const [http, rpc, nobody] = await freePorts(3);
  const env = { ...plain(), QV_CLUSTER_TOKEN: token };
  const program = serve(t, env, [
    ...['--port', String(http), '--set', 'cluster.coordination=etcd'],
    ...['--set', `cluster.endpoints=http://127.0.0.1:${nobody}`, '--set', `cluster.port=${rpc}`],
  ]);
  await until(() => program.stderr.includes('cluster_not_joined'), 'it says that it waits');
  const node = { mcp_url: `http://127.0.0.1:${http}/mcp` };
  await until(async () => {
    try {
      return (await refused(node, 'collection_list')).includes('has not joined its cluster');
    } catch (problem) {
      if (problem.code === 'ECONNREFUSED') return false;
      throw problem;
    }
  }, 'calls are refused with the reason');
  assert.equal(program.child.exitCode, null);
  program.kill('SIGTERM');
  assert.equal((await program.exit()).code, 0);
});

/// It has joined, and listens: either may come first.
const servesAsOne = ({ stderr }) => stderr.includes('cluster_joined') && stderr.includes('/mcp');

test('a server that was alone becomes the first of a cluster', { timeout: 600_000 }, async (t) => {
  const home = tempDir();
  const [http, rpc, client, peer] = await freePorts(4);
  const env = environment(home);
  const all = points(60);
  const node = { mcp_url: `http://127.0.0.1:${http}/mcp` };
  const alone = serve(t, env, ['--port', String(http)]);
  await until(() => alone.stderr.includes('/mcp'), 'it serves');
  await makePond(node);
  await fill(node, all);
  const clustered = [
    ...['--port', String(http), '--set', 'cluster.coordination=managed'],
    ...['--set', `cluster.nodes=127.0.0.1:${rpc}`, '--set', `cluster.port=${rpc}`],
    ...['--set', `cluster.etcd_client_port=${client}`, '--set', `cluster.etcd_peer_port=${peer}`],
  ];
  const initArgs = ['cluster', 'init', ...clustered.slice(2)];
  const secret = { ...env, QV_CLUSTER_TOKEN: token };
  const busy = await run(initArgs, secret);
  assert.equal(busy.code, 1);
  assert.match(busy.stderr, /used by another process/);
  alone.kill('SIGTERM');
  assert.equal((await alone.exit()).code, 0);

  const early = await run(['serve', ...clustered], secret);
  assert.equal(early.code, 1);
  assert.match(early.stderr, /quiver cluster init/);
  const done = await run(initArgs, secret);
  assert.equal(done.code, 0, done.stderr);
  // A second time changes nothing.
  assert.equal((await run(initArgs, secret)).code, 0);
  const wrong = await run(['serve', '--port', String(http)], env);
  t.diagnostic(wrong.stderr.split('\n').at(-2));
  assert.match(wrong.stderr, /belongs to the cluster/);

  const member = serve(t, secret, ['serve', ...clustered].slice(1));
  await until(() => servesAsOne(member) || member.child.exitCode !== null,
    'it serves as a cluster', longMs);
  assert.equal(member.child.exitCode, null, member.stderr);
  const found = await ok(node, 'vector_search', search(all[3].vector));
  assert.deepEqual(ids(found), nearest(all, all[3].vector, 10));

  // A second server learns from the first where the etcd is.
  const [http2, rpc2] = await freePorts(2);
  const joining = serve(t, { ...environment(tempDir()), QV_CLUSTER_TOKEN: token }, [
    ...['--port', String(http2), '--set', 'cluster.coordination=managed'],
    ...['--set', `cluster.nodes=127.0.0.1:${rpc}`, '--set', `cluster.port=${rpc2}`],
  ]);
  await until(() => servesAsOne(joining) || joining.child.exitCode !== null,
    'it joins through the first', longMs);
  assert.equal(joining.child.exitCode, null, joining.stderr);
  const other = { mcp_url: `http://127.0.0.1:${http2}/mcp` };
  const same = await ok(other, 'vector_search', search(all[3].vector));
  assert.deepEqual(ids(same), nearest(all, all[3].vector, 10));
  for (const program of [joining, member]) {
    program.kill('SIGTERM');
    assert.equal((await program.exit()).code, 0);
  }
  assert.deepEqual(processesOf(home), [], 'its etcd has ended, too');
});

test('what `quiver dev` started ends with it, however it ends', { timeout: 300_000 }, async (t) => {
  const home = tempDir();
  const cluster = await dev(t, 2, home);
  const pids = [...cluster.nodes.map(({ pid }) => pid), cluster.etcd.pid];
  cluster.program.kill('SIGKILL');
  await cluster.program.exit();
  await until(() => pids.every((pid) => !isAlive(pid)), 'all have ended');

  // What the former processes left does not pass for those that are just starting.
  const again = await dev(t, 2, home);
  for (const node of again.nodes) {
    assert.equal((await fetch(`${node.http_url}/readyz`)).status, 200, node.label);
  }
  again.program.kill('SIGTERM');
  await again.program.exit();
  assert.ok(!existsSync(join(again.directory, 'nodes.json')), 'it names no servers that are gone');
});

test('bad numbers of servers are refused', async () => {
  for (const count of ['0', '10', 'two', '-1']) {
    const ended = await run(['dev', '--nodes', count], plain());
    assert.equal(ended.code, 2, ended.stderr);
    assert.match(ended.stderr, /--nodes/);
  }
});
