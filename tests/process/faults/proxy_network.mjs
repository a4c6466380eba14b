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

/// The inode of the other end of a connection that was accepted here, '' if it is gone already.
function inodeOfPeer(socket) {
  const peer = socketName(socket.remoteAddress, socket.remotePort);
  const here = socketName(socket.localAddress, socket.localPort);
  for (const line of readFileSync('/proc/net/tcp', 'latin1').split('\n')) {
    const fields = line.trim().split(/\s+/);
    if (fields[1] === peer && fields[2] === here) return fields[9];
  }
  return '';
}

function hasSocket(pid, inode) {
  try {
    return readdirSync(`/proc/${pid}/fd`).some((fd) => {
      try {
        return readlinkSync(`/proc/${pid}/fd/${fd}`) === `socket:[${inode}]`;
      } catch {
        return false;
      }
    });
  } catch {
    return false;
  }
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
    source.on('data', (bytes) => this.#take({ bytes }));
    source.on('end', () => this.#take({ end: true }));
    source.on('error', () => this.#take({ reset: true }));
    sink.on('drain', () => {
      this.full = false;
      this.go();
    });
    sink.on('close', () => this.stop());
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

  #callerOf(socket) {
    const inode = inodeOfPeer(socket);
    if (!inode) return undefined;
    for (const [name, { pids }] of this.hosts) {
      for (const pid of pids) if (hasSocket(pid, inode)) return name;
    }
    return undefined;
  }

  #keep(socket) {
    this.sockets.add(socket);
    socket.setNoDelay(true);
    socket.on('error', () => {});
    socket.on('close', () => this.sockets.delete(socket));
  }

  async #accept(caller, to, own, port) {
    this.#keep(caller);
    const from = this.#callerOf(caller);
    if (from === undefined) {
      caller.resetAndDestroy();
      return;
    }
    const there = this.#link(from, to);
    const back = this.#link(to, from);
    while (there.cut || back.cut) await Promise.all([there.open(), back.open()]);
    const called = connect({ host: own, port, allowHalfOpen: true });
    const refuse = () => caller.resetAndDestroy();
    called.once('error', refuse);
    this.#keep(called);
    called.once('connect', () => {
      called.off('error', refuse);
      const forth = new Direction(caller, called, there);
      forth.back = new Direction(called, caller, back);
      forth.back.back = forth;
      caller.resume();
    });
  }

  /// What `from` sends to `to` stays where it is until it is healed.
  cut(from, to) {
    if (from !== to) this.#link(from, to).change({ cut: true });
  }
  #all(name, settings) {
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
    for (const other of this.hosts.keys()) {
      if (other !== name) this.#link(other, name).change({ loss: share });
    }
  }
  heal() {
    for (const link of this.links.values()) {
      if (!link.isCalm) link.change({ cut: false, delayMs: 0, kbit: 0, loss: 0 });
    }
  }

  async close() {
    for (const socket of this.sockets) socket.destroy();
    await Promise.all(this.listeners.map((one) => new Promise((done) => one.close(done))));
  }
}
