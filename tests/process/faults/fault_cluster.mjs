// A cluster of real servers and real etcds on a network whose ways can be cut.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { freePorts, longMs, token } from '../cluster_support.mjs';
import { environment, quiver, tempDir, until } from '../support.mjs';
import { areWhole, shardRecords } from '../shard_records.mjs';
import { ask, attempt } from './calls.mjs';
import { makeNetwork } from './network.mjs';

/// How long a server may be silent before others call it down.
export const downAfterMs = 3000;

function etcdArguments(network, members, member) {
  const { host, name, client, peer, directory } = member;
  const at = (address, port) => `http://${address}:${port}`;
  const bind = network.bindAddress(host);
  const shown = network.address(host);
  const all = members.map((one) => `${one.name}=${at(network.address(one.host), one.peer)}`);
  return [
    ...['--name', name, '--data-dir', directory, '--unsafe-no-fsync', '--pre-vote'],
    ...['--listen-client-urls', at(bind, client), '--advertise-client-urls', at(shown, client)],
    ...['--listen-peer-urls', at(bind, peer), '--initial-advertise-peer-urls', at(shown, peer)],
    ...['--initial-cluster', all.join(',')],
  ];
}

/// The etcds, one on each of the hosts: [{host, label, url, direct, program, start(), status(),
/// isLeader()}]; `url` is for servers, `direct` for the test.
async function makeStores(t, network, hosts) {
  const ports = await freePorts(2 * hosts.length);
  const members = hosts.map((host, i) => ({
    host,
    label: host,
    name: host,
    client: ports[2 * i],
    peer: ports[2 * i + 1],
    directory: join(tempDir(), 'etcd'),
  }));
  for (const member of members) {
    const { host, client, peer } = member;
    await network.expose(host, client);
    await network.expose(host, peer);
    member.url = `http://${network.address(host)}:${client}`;
    member.direct = `http://${network.bindAddress(host)}:${client}`;
    const post = async (path) => {
      const signal = AbortSignal.timeout(2000);
      const reply = await fetch(`${member.direct}${path}`, { method: 'POST', body: '{}', signal });
      return await reply.json();
    };
    member.start = () => {
      const args = etcdArguments(network, members, member);
      member.program = network.start(host, 'etcd', args, { env: process.env });
    };
    member.status = async () => {
      try {
        return await post('/v3/maintenance/status');
      } catch {
        return undefined;
      }
    };
    member.isLeader = async () => {
      const status = await member.status();
      return status?.leader !== undefined && status.leader === status.header.member_id;
    };
    t.after(() => member.program?.destroy());
    member.start();
  }
  for (const member of members) {
    await until(async () => (await member.status())?.leader !== undefined,
      `${member.name} has a leader`, longMs);
  }
  return members;
}

/// A server of the cluster. `disk`: a mounted place for its data (disks.mjs); `preload`: settings
/// of its environment.
async function makeServer(t, { network, stores, settings, disk, preload = {} }, host) {
  const [http, rpc] = await freePorts(2);
  const bind = network.bindAddress(host);
  await network.expose(host, rpc);
  const home = disk?.directory ?? tempDir();
  const all = {
    'server.host': bind,
    'server.port': http,
    'server.allowed_hosts': `["${bind}"]`,
    'server.call_timeout_s': 10,
    'mcp.toolsets': 'memory,collection,vector,cluster',
    'cluster.coordination': 'etcd',
    'cluster.endpoints': `[${stores.map(({ url }) => `"${url}"`)}]`,
    'cluster.host': bind,
    'cluster.advertise_host': network.address(host),
    'cluster.port': rpc,
    'cluster.label': host,
    'cluster.heartbeat_ms': 300,
    'cluster.down_after_ms': downAfterMs,
    'cluster.lease_s': 3,
    ...settings,
  };
  const server = {
    host,
    label: host,
    home,
    settings: all,
    url: `http://${bind}:${http}`,
    mcp_url: `http://${bind}:${http}/mcp`,
    address: `${network.address(host)}:${rpc}`,
    disk,
    /// Written by all its processes.
    log: () => server.earlier + (server.program?.stderr ?? ''),
    earlier: '',
    start(...flags) {
      server.earlier = server.log();
      const pairs = Object.entries(server.settings);
      const args = pairs.flatMap(([key, value]) => ['--set', `${key}=${value}`]);
      const env = environment(home, { QV_CLUSTER_TOKEN: token, ...preload });
      const options = { env, enter: server.disk?.enter };
      server.program = network.start(host, quiver, ['serve', ...flags, ...args], options);
    },
    async isReady() {
      assert.ok(server.program.running, `${host} has ended: ${server.program.stderr.slice(-2000)}`);
      try {
        const signal = AbortSignal.timeout(5000);
        const reply = await fetch(`${server.url}/readyz`, { signal });
        return (await reply.json()).status === 'ready';
      } catch {
        return false;
      }
    },
  };
  t.after(() => server.program?.destroy());
  return server;
}

/// {network, servers, stores, makeServer(host)}, all joined. `servers` and `stores` are numbers;
/// `disks` maps names of servers (server-1, …) to mounted places; `spare`: hosts for more servers.
export async function faultCluster(t, options = {}) {
  const { servers = 3, stores = 1, spare = 0, settings = {}, disks = {}, needs } = options;
  const numbered = (name, count) => Array.from({ length: count }, (_, i) => `${name}-${i + 1}`);
  const hosts = numbered('server', servers + spare);
  const storeHosts = numbered('store', stores);
  const network = makeNetwork(t, [...hosts, ...storeHosts], { needs });
  const members = await makeStores(t, network, storeHosts);
  const cluster = { network, stores: members, servers: [] };
  cluster.makeServer = (host, more = {}) =>
    makeServer(t, { network, stores: members, settings, disk: disks[host], ...more }, host);
  for (const host of hosts.slice(0, servers)) cluster.servers.push(await cluster.makeServer(host));
  for (const server of cluster.servers) server.start();
  for (const server of cluster.servers) {
    await until(() => server.isReady(), `${server.label} is ready`, longMs);
  }
  await allUp(cluster.servers);
  return cluster;
}

/// Every one of them reaches all the others.
export async function allUp(servers) {
  for (const server of servers) {
    await until(async () => {
      const listed = await attempt(server, 'cluster_list_nodes', {}, 5000);
      const nodes = listed.value?.nodes ?? [];
      const up = (name) => nodes.some((node) => node.name === name && node.up);
      return servers.every(({ label }) => up(label));
    }, `${server.label} reaches all`, longMs);
  }
}

/// The server that leads a shard, of an answer of cluster_get_shard_distribution.
export const leaderOf = ({ copies }) =>
  (copies.find(({ state }) => state === 'primary') ?? copies[0]).node;

/// Of each shard of `collection` the name of the server that leads it, in order, once `servers`
/// agree.
export async function placement(servers, collection) {
  return await until(async () => {
    const maps = [];
    for (const server of servers) {
      maps.push(await ask(server, 'cluster_get_shard_distribution', { collection }));
    }
    if (maps.some(({ epoch }) => epoch !== maps[0].epoch)) return false;
    return maps[0].shards.map(leaderOf);
  }, 'all have one map', longMs);
}

/// The records of all shards, of an etcd of the cluster that answers.
export async function recordsOf({ stores }) {
  for (const { direct, program } of stores) {
    if (!program.running) continue;
    try {
      return await shardRecords(direct);
    } catch {
      // Another one may.
    }
  }
  return [];
}

/// The ids of servers by their labels, as `server` knows them.
export async function idsOf(server) {
  const { nodes } = await ask(server, 'cluster_list_nodes');
  return new Map(nodes.map(({ id, name }) => [name, id]));
}

/// Waits until each shard has all of its copies, in sync, on servers of `servers`; the records.
export async function wholeAgain(cluster, { servers = cluster.servers, count, ms = longMs } = {}) {
  const wanted = count ?? cluster.copies;
  const known = await idsOf(servers[0]);
  const ids = servers.map(({ label }) => known.get(label));
  let records = [];
  try {
    return await until(async () => {
      records = await recordsOf(cluster);
      return areWhole(records, wanted, ids) && records;
    }, `each shard has ${wanted} copies in sync`, ms);
  } catch (problem) {
    throw new Error(`${problem.message}: ${JSON.stringify(records)}`);
  }
}

/// The end of an operation, however it ended.
export async function operationEnded(server, operation) {
  return await until(async () => {
    const shown = await attempt(server, 'cluster_get_operation', { operation_id: operation }, 5000);
    return shown.outcome === 'ok' && shown.value.state !== 'running' && shown.value;
  }, `operation ${operation} ends`, longMs);
}
