// Troubles of all kinds, one after the other, as a seed says: which, for whom, for how long and
// after what pause. The same seed makes the same troubles; when they meet a write is the machine's
// affair.
import { longMs } from '../cluster_support.mjs';
import { randomSource, until } from '../support.mjs';
import { attempt } from './calls.mjs';
import { collection } from './clients.mjs';

const pause = (ms) => new Promise((done) => setTimeout(done, ms));
const pick = (random, list) => list[random.below(list.length)];

/// Each trouble: whom it befalls, how it begins and ends; nothing where it cannot be made.
const troubles = {
  'kill -9 of a server': ({ servers }, random) => {
    const server = pick(random, servers);
    return { who: server.label, begin: () => server.program.destroy(), end: () => server.start() };
  },
  'a server stands still': ({ servers }, random) => {
    const server = pick(random, servers);
    return {
      who: server.label,
      begin: () => server.program.pause(),
      end: () => server.program.goOn(),
    };
  },
  'kill -9 of an etcd': ({ stores }, random) => {
    const store = pick(random, stores);
    return { who: store.label, begin: () => store.program.destroy(), end: () => store.start() };
  },
  'an etcd stands still': ({ stores }, random) => {
    const store = pick(random, stores);
    return {
      who: store.label,
      begin: () => store.program.pause(),
      end: () => store.program.goOn(),
    };
  },
  'two servers cut off': ({ servers, network }, random) => {
    const a = pick(random, servers);
    const b = pick(random, servers.filter((one) => one !== a));
    return {
      who: `${a.label}, ${b.label}`,
      begin: () => network.part(a.host, b.host),
      end: () => network.heal(),
    };
  },
  'two servers cut off one way': ({ servers, network }, random) => {
    const a = pick(random, servers);
    const b = pick(random, servers.filter((one) => one !== a));
    return {
      who: `${a.label} to ${b.label}`,
      begin: () => network.cut(a.host, b.host),
      end: () => network.heal(),
    };
  },
  'a server cut off from all servers': ({ servers, network }, random) => {
    const a = pick(random, servers);
    const cut = () => servers.filter((b) => b !== a).forEach((b) => network.part(a.host, b.host));
    return { who: a.label, begin: cut, end: () => network.heal() };
  },
  'a server cut off from etcd': ({ servers, stores, network }, random) => {
    const a = pick(random, servers);
    const cut = () => stores.forEach((store) => network.part(a.host, store.host));
    return { who: a.label, begin: cut, end: () => network.heal() };
  },
  'all cut off from an etcd': ({ servers, stores, network }, random) => {
    const store = pick(random, stores);
    const cut = () => servers.forEach((a) => network.part(a.host, store.host));
    return { who: store.label, begin: cut, end: () => network.heal() };
  },
  'a cable is drawn': ({ servers, network }, random) => {
    const { host, label } = pick(random, servers);
    if (!network.can.has('link')) return undefined;
    return { who: label, begin: () => network.link(host, false), end: () => network.heal() };
  },
  'a slow network': ({ servers, network }, random) => {
    const { host, label } = pick(random, servers);
    const kbit = 500 + random.below(3000);
    return {
      who: `${label}, ${kbit} kbit/s`,
      begin: () => network.rate(host, kbit),
      end: () => network.heal(),
    };
  },
  'a lossy network': ({ servers, network }, random) => {
    const { host, label } = pick(random, servers);
    const share = 0.05 + random.next() * 0.25;
    if (!network.can.has('loss')) return undefined;
    return {
      who: `${label}, ${(100 * share).toFixed()} %`,
      begin: () => network.lose(host, share),
      end: () => network.heal(),
    };
  },
  'a late network': ({ servers, network }, random) => {
    const { host, label } = pick(random, servers);
    const ms = 10 + random.below(200);
    if (!network.can.has('delay')) return undefined;
    return {
      who: `${label}, ${ms} ms`,
      begin: () => network.delay(host, ms),
      end: () => network.heal(),
    };
  },
  'a full disk': ({ servers }, random) => {
    const small = servers.filter(({ disk }) => disk?.fill);
    if (small.length === 0) return undefined;
    const { label, disk } = pick(random, small);
    return { who: label, begin: () => disk.fill(), end: () => disk.free() };
  },
};

/// Somebody asks for a copy of a shard to go from where it is to a server that has none, if there
/// is one.
function move({ servers, shards }, random) {
  const shard = random.below(shards);
  const asked = pick(random, servers);
  const [which, step] = [random.next(), random.next()];
  const begin = async () => {
    const shown = await attempt(asked, 'cluster_get_shard_distribution', { collection });
    const holders = shown.value?.shards[shard].copies.map(({ node }) => node) ?? [];
    const free = servers.filter(({ label }) => !holders.includes(label));
    if (holders.length === 0 || free.length === 0) return shown;
    const from = holders[Math.floor(which * holders.length)];
    const to = free[Math.floor(step * free.length)].label;
    return await attempt(asked, 'cluster_move_shard', { collection, shard, from, to });
  };
  return { name: 'a shard moves', who: `${shard}, asked through ${asked.label}`, begin };
}

/// So often a shard moves beside a trouble.
const movesShare = 0.4;

/// Makes troubles until its time is over, one at a time, some of them beside a move.
export class Nemesis {
  /// What was done and when; of moves the operation, if one was begun.
  done = [];
  refusedMoves = 0;

  /// `cluster` with `shards`, the number of shards of the collection.
  constructor(cluster, { seed, shortestMs = 500, longestMs = 5000, say = () => {} }) {
    Object.assign(this, { cluster, seed, shortestMs, longestMs, say });
    this.random = randomSource(seed);
  }

  #next() {
    for (;;) {
      const name = pick(this.random, Object.keys(troubles));
      const trouble = troubles[name](this.cluster, this.random);
      if (trouble) return { name, ...trouble };
    }
  }
  #some() {
    return this.shortestMs + this.random.below(this.longestMs - this.shortestMs);
  }

  #tell(entry) {
    entry.at = new Date().toISOString();
    this.done.push(entry);
    const lasts = entry.ms === undefined ? '' : ` for ${entry.ms} ms`;
    this.say(`${entry.at} ${entry.name}: ${entry.who}${lasts}`);
    return entry;
  }

  async #move() {
    const { name, who, begin } = move(this.cluster, this.random);
    const entry = this.#tell({ name, who });
    const answer = await begin();
    entry.operation = answer.value?.operation_id;
    if (!entry.operation) this.refusedMoves += 1;
  }

  /// For so many milliseconds, or `most` troubles. All has healed when it returns.
  async run({ ms = Infinity, most = Infinity }) {
    const until = Date.now() + ms;
    try {
      while (Date.now() < until && this.done.length < most) {
        if (this.random.next() < movesShare) await this.#move();
        const { name, who, begin, end } = this.#next();
        const [lasts, rests] = [this.#some(), this.#some()];
        this.#tell({ name, who, ms: lasts });
        await begin();
        await pause(lasts);
        await end();
        await pause(rests);
      }
    } finally {
      await this.heal();
    }
  }

  /// Everything runs, reaches everything, and has room.
  async heal() {
    const { network, servers, stores } = this.cluster;
    network.heal();
    for (const { disk } of servers) disk?.free?.();
    for (const one of [...stores, ...servers]) {
      one.program.goOn();
      if (!one.program.running) one.start();
    }
  }

  /// How often each trouble was made.
  counts() {
    const counts = {};
    for (const { name } of this.done) counts[name] = (counts[name] ?? 0) + 1;
    return counts;
  }

  /// The moves that have not ended when all has healed, waited for; and how those ended that were
  /// begun.
  async moves() {
    const ids = this.done.map(({ operation }) => operation).filter(Boolean);
    const [server] = this.cluster.servers;
    const outcomes = { done: 0, failed: 0, refused: this.refusedMoves, stuck: [] };
    for (const id of ids) {
      try {
        const ended = await until(async () => {
          const shown = await attempt(server, 'cluster_get_operation', { operation_id: id });
          if (shown.code === 'not_found') return 'forgotten';
          return shown.outcome === 'ok' && shown.value.state !== 'running' && shown.value.state;
        }, `move ${id} ends`, longMs);
        outcomes[ended === 'done' ? 'done' : 'failed'] += 1;
      } catch {
        outcomes.stuck.push(id);
      }
    }
    return outcomes;
  }
}
