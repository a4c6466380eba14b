// What the benchmarks of clusters have in common: processes, calls of tools, and figures.
import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { join } from 'node:path';

const agent = new Agent({ keepAlive: true, maxSockets: 64 });
const children = new Set();
process.on('exit', () => {
  for (const child of children) child.kill('SIGTERM');
});

function post(url, body, headers) {
  return new Promise((done, failed) => {
    const sent = request(url, { method: 'POST', agent, headers }, (reply) => {
      const parts = [];
      reply.on('data', (part) => parts.push(part));
      reply.on('end', () => done(Buffer.concat(parts).toString()));
      reply.on('error', failed);
    });
    sent.on('error', failed);
    sent.end(body);
  });
}

/// A call as bytes, so that making it is not measured.
export function prepared(name, args) {
  const body = JSON.stringify({
    jsonrpc: '2.0',
    id: 1,
    method: 'tools/call',
    params: {
      _meta: {
        'io.modelcontextprotocol/protocolVersion': '2026-07-28',
        'io.modelcontextprotocol/clientCapabilities': {},
      },
      name,
      arguments: args,
    },
  });
  const headers = {
    'Content-Type': 'application/json',
    Accept: 'application/json, text/event-stream',
    'MCP-Protocol-Version': '2026-07-28',
    'Mcp-Method': 'tools/call',
    'Mcp-Name': name,
    'Content-Length': Buffer.byteLength(body),
  };
  return { body: Buffer.from(body), headers };
}

export async function call(url, { body, headers }) {
  const reply = await post(url, body, headers);
  if (reply.includes('"isError":true') || !reply.includes('"result"')) {
    throw new Error(reply.slice(0, 500));
  }
  return reply;
}

export const tool = async (url, name, args) =>
  JSON.parse(await call(url, prepared(name, args))).result.structuredContent;

export const median = (numbers) => [...numbers].sort((a, b) => a - b)[numbers.length >> 1];
export const spread = (numbers, digits) =>
  `${median(numbers).toFixed(digits)} (${Math.min(...numbers).toFixed(digits)} to ` +
  `${Math.max(...numbers).toFixed(digits)})`;

export async function until(holds, what, seconds = 300) {
  for (const end = Date.now() + seconds * 1000; Date.now() < end; ) {
    const value = await holds();
    if (value) return value;
    await new Promise((done) => setTimeout(done, 50));
  }
  throw new Error(`${what}: never`);
}

/// A process of `quiver` that ends with this one: {child, text()}.
export function start(quiver, args) {
  const child = spawn(quiver, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  let text = '';
  child.stderr.on('data', (part) => {
    text = (text + part).slice(-100_000);
  });
  children.add(child);
  child.on('exit', () => children.delete(child));
  return { child, text: () => text };
}

/// `quiver dev`: {child, nodes, urls}.
export async function devCluster(quiver, directory, count) {
  const { child } = start(quiver, ['dev', '--nodes', String(count), '--data', directory]);
  const list = join(directory, 'nodes.json');
  await until(() => existsSync(list), `${count} servers serve`);
  const { nodes } = JSON.parse(readFileSync(list));
  return { child, nodes, urls: nodes.map((node) => node.mcp_url) };
}

/// Waits until the graph of a collection has all of its vectors.
export const indexed = (url, collection) =>
  until(async () => {
    const info = await tool(url, 'collection_info', { collection });
    return !info.unindexed;
  }, `${collection} is indexed`, 1800);

/// Waits until every copy of every shard is in sync, and each shard has `count` of them; the shards.
export const wholeShards = (url, collection, count) =>
  until(async () => {
    const { shards } = await tool(url, 'cluster_get_shard_distribution', { collection });
    const whole = ({ copies }) =>
      copies.length === count && copies.every(({ in_sync: inSync }) => inSync);
    return shards.every(whole) && shards;
  }, `all copies of ${collection} are in sync`, 1800);

/// Pseudo-random vectors, as base64 of little-endian floats: cheap for the client to send.
export function vectorSource(dim) {
  let state = 1;
  const vector = new Float32Array(dim);
  const bytes = Buffer.from(vector.buffer);
  return () => {
    for (let d = 0; d < dim; ++d) {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      vector[d] = state / 2 ** 31 - 1;
    }
    return bytes.toString('base64');
  };
}
