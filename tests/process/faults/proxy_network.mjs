// A network of processes of one machine that are reached by proxies: each host has an address at
// which it listens and one that it gives to others, where a proxy takes the connections. It tells
// by the socket of a connection which host has made it, and holds back, delays or slows down each
// direction. Needs no rights. A connection through a cut is accepted by the proxy and says nothing,
// where a real network would not answer at all; loss shows as what it does to TCP, pieces that come
// late.
import assert from 'node:assert/strict';
import { readFileSync, readdirSync, readlinkSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { TestProcess } from './processes.mjs';

/// As much as a direction holds back before its sender has to wait.
const heldBytes = 256 * 1024;
/// So late a segment comes that had to be sent again.
const resentMs = 200;

/// `127.0.78.1`, 80 as /proc/net/tcp has them.
function socketName(address, port) {
  const bytes = address.replace(/^::ffff:/, '').split('.').map(Number).reverse();
  const hex = (value, digits) => value.toString(16).toUpperCase().padStart(digits, '0');
  return `${bytes.map((byte) => hex(byte, 2)).join('')}:${hex(port, 4)}`;
}

/// The inodes of the other ends of connections that were accepted here, by both ends' names. One
/// look takes the kernel milliseconds, so that it is for all of them.
function inodesOfPeers() {
  const inodes = new Map();
  for (const line of readFileSync('/proc/net/tcp', 'latin1').split('\n')) {
    const fields = line.trim().split(/\s+/);
    inodes.set(`${fields[1]} ${fields[2]}`, fields[9]);
  }
  return inodes;
}

/// The names of a connection's ends, the caller's first.
const endsOf = ({ remoteAddress, remotePort, localAddress, localPort }) =>
  `${socketName(remoteAddress, remotePort)} ${socketName(localAddress, localPort)}`;

/// The inodes of a process's sockets.
function socketsOf(pid) {
  const inodes = [];
  try {
    for (const fd of readdirSync(`/proc/${pid}/fd`)) {
      try {
        const [, inode] = /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${fd}`)) ?? [];
        if (inode) inodes.push(inode);
      } catch {
        // It was closed meanwhile.
      }
    }
  } catch {
    // The process has ended.
  }
  return inodes;
}

/// The way from one host to another, for all connections.
class Link {
  cut = false;
  delayMs = 0;
  kbit = 0;
  loss = 0;
  freeAt = 0;
  directions = new Set();
  waiting = new Set();

  get isCalm() {
    return !this.cut && this.delayMs === 0 && this.kbit === 0 && this.loss === 0;
  }
  change(settings) {
    Object.assign(this, settings);
    if (this.kbit === 0) this.freeAt = 0;
    if (!this.cut) for (const go of [...this.waiting]) go();
    for (const direction of [...this.directions]) direction.go();
  }
  /// Until it is not cut.
  async open() {
    while (this.cut) {
      await new Promise((done) => {
        const go = () => {
          this.waiting.delete(go);
          done();
        };
        this.waiting.add(go);
      });
    }
  }
}

/// One direction of one connection: what came from `source` and is to go to `sink`, in order.
class Direction {
  queue = [];
  held = 0;
  full = false;

  constructor(source, sink, link) {
    Object.assign(this, { source, sink, link });
    link.directions.add(this);
    this.stopped = false;
    source.on('data', (bytes) => this.#take({ bytes }));
    source.on('end', () => this.#take({ end: true }));
    source.on('error', () => this.#take({ reset: true }));
    sink.on('drain', () => {
      this.full = false;
      this.go();
    });
    sink.on('close', () => this.stop());
  }

  /// From now on it goes this way.
  take(link) {
    this.link.directions.delete(this);
    this.link = link;
    if (this.stopped) return;
    link.directions.add(this);
    this.go();
  }

  #take(piece) {
    if (this.sink.destroyed) return;
    let late = this.link.delayMs;
    while (piece.bytes && this.link.loss > 0 && Math.random() < this.link.loss) late += resentMs;
    this.queue.push({ ...piece, due: Date.now() + late });
    this.held += piece.bytes?.length ?? 0;
    if (this.held > heldBytes) this.source.pause();
    this.go();
  }

  /// Passes on what may go now, and comes back for the rest.
  go() {
    clearTimeout(this.timer);
    while (this.queue.length > 0 && !this.link.cut && !this.full) {
      const [piece] = this.queue;
      const wait = Math.max(piece.due, this.link.freeAt) - Date.now();
      if (wait > 0) {
        this.timer = setTimeout(() => this.go(), wait);
        return;
      }
      this.queue.shift();
      this.#pass(piece);
    }
    if (this.held <= heldBytes / 2 && this.source.isPaused()) this.source.resume();
  }

  #pass({ bytes, end, reset }) {
    if (reset) this.sink.resetAndDestroy();
    else if (end) this.sink.end();
    else {
      this.held -= bytes.length;
      const { kbit, freeAt } = this.link;
      if (kbit > 0) this.link.freeAt = Math.max(Date.now(), freeAt) + (bytes.length * 8) / kbit;
      this.full = !this.sink.write(bytes);
    }
  }

  /// The sink is closed: whoever still sends is told so, by the way back.
  stop() {
    this.stopped = true;
    clearTimeout(this.timer);
    this.link.directions.delete(this);
    this.queue = [];
    this.source.resume();
    if (!this.source.destroyed && !this.sink.writableFinished) this.back.#take({ reset: true });
  }
}

/// See makeNetwork().
export class ProxyNetwork {
  kind = 'proxies';
  can = new Set(['cut', 'rate', 'loss', 'delay']);

  constructor(names, reason) {
    this.reason = reason;
    this.hosts = new Map();
    this.links = new Map();
    this.listeners = [];
    this.sockets = new Set();
    this.connections = new Set();
    this.fresh = [];
    this.calm = true;
    for (const [i, name] of names.entries()) {
      const last = i + 1;
      this.hosts.set(name, { own: `127.0.77.${last}`, shown: `127.0.78.${last}`, pids: new Set() });
    }
  }

  host(name) {
    const host = this.hosts.get(name);
    assert.ok(host, `there is no host ${name}`);
    return host;
  }
  #link(from, to) {
    const key = `${from} ${to}`;
    if (!this.links.has(key)) this.links.set(key, new Link());
    return this.links.get(key);
  }

  get note() {
    return `network: proxies of the test, not namespaces (${this.reason})`;
  }
  address(name) {
    return this.host(name).shown;
  }
  bindAddress(name) {
    return this.host(name).own;
  }

  start(name, command, args, options = {}) {
    const host = this.host(name);
    const line = TestProcess.bound(command, args);
    if (options.enter) line.unshift('nsenter', ...options.enter);
    const program = new TestProcess(line[0], line.slice(1), options);
    host.pids.add(program.pid);
    program.exited.then(() => host.pids.delete(program.pid));
    return program;
  }

  /// Others reach that port of `name` from now on.
  async expose(name, port) {
    const { own, shown } = this.host(name);
    const listener = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (caller) => {
      this.#accept(caller, name, own, port).catch(() => caller.destroy());
    });
    await new Promise((done, fail) => {
      listener.once('error', fail);
      listener.listen(port, shown, done);
    });
    this.listeners.push(listener);
  }

  /// Finds out who has made these connections. Who is gone again is nobody's.
  #attribute(connections) {
    if (connections.length === 0) return;
    const inodes = inodesOfPeers();
    const hosts = new Map();
    for (const [name, { pids }] of this.hosts) {
      for (const pid of pids) for (const inode of socketsOf(pid)) hosts.set(inode, name);
    }
    for (const connection of connections) {
      connection.from = hosts.get(inodes.get(connection.ends));
      if (connection.from === undefined) continue;
      const { from, to, forth, back } = connection;
      forth?.take(this.#link(from, to));
      back?.take(this.#link(to, from));
    }
  }

  /// Before anything is wrong with the network nobody asks who has made a connection.
  #beginTrouble() {
    this.calm = false;
    this.#attribute([...this.connections].filter(({ from }) => from === undefined));
  }

  #keep(socket) {
    this.sockets.add(socket);
    socket.setNoDelay(true);
    socket.on('error', () => {});
    socket.on('close', () => this.sockets.delete(socket));
  }

  /// Who has made a connection while there are troubles; of several that come at once together.
  async #callerOf(connection) {
    this.fresh.push(connection);
    if (this.fresh.length === 1) {
      this.looking = new Promise((done) => setTimeout(done, 10)).then(() => {
        this.#attribute(this.fresh.splice(0));
      });
    }
    await this.looking;
  }

  async #accept(caller, to, own, port) {
    this.#keep(caller);
    const connection = { caller, to, ends: endsOf(caller) };
    this.connections.add(connection);
    caller.on('close', () => this.connections.delete(connection));
    if (!this.calm) await this.#callerOf(connection);
    const ways = () => {
      const { from = '' } = connection;
      return [this.#link(from, to), this.#link(to, from)];
    };
    while (ways().some(({ cut }) => cut)) await Promise.all(ways().map((way) => way.open()));
    if (caller.destroyed) return;
    const called = connect({ host: own, port, allowHalfOpen: true });
    const refuse = () => caller.resetAndDestroy();
    called.once('error', refuse);
    this.#keep(called);
    called.once('connect', () => {
      called.off('error', refuse);
      const [there, back] = ways();
      connection.forth = new Direction(caller, called, there);
      connection.back = new Direction(called, caller, back);
      connection.forth.back = connection.back;
      connection.back.back = connection.forth;
      caller.resume();
    });
  }

  /// What `from` sends to `to` stays where it is until it is healed.
  cut(from, to) {
    if (from === to) return;
    this.#beginTrouble();
    this.#link(from, to).change({ cut: true });
  }
  #all(name, settings) {
    this.#beginTrouble();
    for (const other of this.hosts.keys()) {
      if (other !== name) this.#link(name, other).change(settings);
    }
  }
  delay(name, ms) {
    this.#all(name, { delayMs: ms });
  }
  rate(name, kbit) {
    this.#all(name, { kbit });
  }
  lose(name, share) {
    this.#beginTrouble();
    for (const other of this.hosts.keys()) {
      if (other !== name) this.#link(other, name).change({ loss: share });
    }
  }
  heal() {
    this.calm = true;
    for (const link of this.links.values()) {
      if (!link.isCalm) link.change({ cut: false, delayMs: 0, kbit: 0, loss: 0 });
    }
  }

  async close() {
    for (const socket of this.sockets) socket.destroy();
    await Promise.all(this.listeners.map((one) => new Promise((done) => one.close(done))));
  }
}
