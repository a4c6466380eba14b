// What the coordination store says of the copies of shards, read from etcd itself: an answer that
// does not depend on what servers tell.
import { until } from './support.mjs';

const encode = (text) => Buffer.from(text).toString('base64');
const decode = (text) => Buffer.from(text, 'base64').toString();

/// All shards of all collections at one moment: [{key, revision, term, primary, in_sync, copies}],
/// `copies` by id: {node, state}. Throws if the etcd at `url` does not answer.
export async function shardRecords(url, ms = 2000) {
  const body = JSON.stringify({ key: encode('/quiver/'), range_end: encode('/quiver0') });
  const signal = AbortSignal.timeout(ms);
  const reply = await fetch(`${url}/v3/kv/range`, { method: 'POST', body, signal });
  const { kvs = [] } = await reply.json();
  return kvs
    .map(({ key, value = '', mod_revision: revision }) => ({ key: decode(key), value, revision }))
    .filter(({ key }) => /\/shards\/[^/]+\/\d+$/.test(key))
    .map(({ key, value, revision }) =>
      ({ key, revision: Number(revision), ...JSON.parse(decode(value)) }));
}

/// The server of each copy of a record, sorted; those in sync; and that of the primary.
export const holders = ({ copies }) => Object.values(copies).map(({ node }) => node).sort();
export const inSync = ({ copies, in_sync: ids }) => ids.map((id) => copies[id]?.node).sort();
export const leader = ({ copies, primary }) => copies[primary]?.node;

/// Whether every shard has `count` copies, all in sync, on servers of `nodes` (ids).
export const areWhole = (records, count, nodes) => records.length > 0 && records.every((record) =>
  holders(record).length === count && inSync(record).length === count &&
  holders(record).every((node) => nodes.includes(node)));

/// Waits until every shard has `count` copies, all in sync, on servers of `nodes`; the records.
export async function untilWhole(url, count, nodes, ms) {
  let records = [];
  try {
    return await until(async () => {
      try {
        records = await shardRecords(url);
      } catch (problem) {
        if (problem.name === 'TimeoutError' || problem instanceof TypeError) return false;
        throw problem;
      }
      return areWhole(records, count, nodes) && records;
    }, `all shards have ${count} copies in sync`, ms);
  } catch (problem) {
    throw new Error(`${problem.message}: ${JSON.stringify(records)}, servers ${nodes}`);
  }
}
