#include "tests/simulation/clients.h"

#include "tests/simulation/world.h"

namespace quiver::simulation {

using Kind = ClientOp::Kind;

void Clients::start() {
  for (std::size_t number = 0; number < kClients; ++number) rest(number);
}

void Clients::rest(std::size_t number) {
  clients_[number].busy = false;
  const Micros pause = world_.random.between(5, 150) * kMillisecond;
  world_.clock.after(pause, [this, number] { begin(number); });
}

void Clients::begin(std::size_t number) {
  Random& random = world_.random;
  Client& client = clients_[number];
  if (client.busy) return;
  if (client.insists) {
    if (client.left > 0) begin(number, Kind::Newest, --client.left);
    return;
  }
  if (stopped_) return;
  static constexpr Kind kKinds[] = {Kind::Write,  Kind::Write,  Kind::Write,   Kind::Erase,
                                    Kind::Newest, Kind::Newest, Kind::Session, Kind::Eventual};
  begin(number, kKinds[random.below(std::size(kKinds))], random.below(kKeys));
}

void Clients::begin(std::size_t number, Kind kind, std::size_t key) {
  Client& client = clients_[number];
  client.op = ops_.size();
  client.tries = 0;
  client.open = false;
  client.busy = true;
  ClientOp op;
  op.kind = kind;
  op.client = static_cast<std::uint32_t>(number);
  op.key = static_cast<std::uint8_t>(key);
  op.began = world_.clock.now();
  if (kind <= Kind::Erase) {
    op.write = ++writes_;
    ++world_.stats.writes;
  }
  ops_.push_back(op);
  // Readers of copies ask any of them.
  if (kind > Kind::Newest || world_.random.chance(0.1)) choose_target(client);
  attempt(number);
}

void Clients::choose_target(Client& client) {
  const ShardState& record = world_.store.record();
  const bool knows = client.insists || world_.random.chance(0.6);
  client.target =
      knows ? world_.number_of(record.primary) : world_.random.below(world_.copies.size());
}

void Clients::attempt(std::size_t number) {
  Client& client = clients_[number];
  ++client.tries;
  client.attempt = attempts_.size();
  attempts_.push_back({number, client.op});
  send(number, client.attempt);
  if (world_.troubled && world_.random.chance(0.03)) {
    // The same request once more, perhaps to somebody else.
    client.open = true;
    if (world_.random.chance(0.5)) choose_target(client);
    send(number, client.attempt);
  }
  const Micros patience = world_.random.between(500, 4000) * kMillisecond;
  world_.clock.after(patience, [this, number, of = client.attempt] {
    Client& waiting = clients_[number];
    if (!waiting.busy || waiting.attempt != of) return;
    waiting.open = true;
    try_again(number);
  });
}

void Clients::send(std::size_t number, std::uint64_t attempt) {
  Random& random = world_.random;
  if (world_.troubled && random.chance(0.02)) return;
  const Client& client = clients_[number];
  const ClientOp& op = ops_[client.op];
  const bool straggles = world_.troubled && random.chance(0.02);
  const Micros way = straggles ? random.between(1, 3000) * kMillisecond : random.between(100, 3000);
  const Tag tag{attempt};
  SimCopy* const copy = world_.copies[client.target].get();
  if (op.kind <= Kind::Erase) {
    const WriteCall call{tag, op.write, op.key, op.kind == Kind::Erase,
                         random.between(500, 4000) * kMillisecond};
    world_.clock.after(way, [copy, call] { copy->write(call); });
    return;
  }
  ReadAsked read{tag, ReadLevel::Linearizable, {}};
  if (op.kind == Kind::Session) read = {tag, ReadLevel::Session, client.token};
  if (op.kind == Kind::Eventual) read.level = ReadLevel::Eventual;
  world_.clock.after(way, [copy, read, key = op.key] { copy->read(read, key); });
}

void Clients::try_again(std::size_t number) {
  Client& client = clients_[number];
  if (!client.insists && (world_.random.chance(0.2) || client.tries > 8)) return give_up(number);
  if (ops_[client.op].kind <= Kind::Erase) ++world_.stats.retries;
  choose_target(client);
  client.attempt = ~std::uint64_t{0};
  const Micros pause = world_.random.between(5, 400) * kMillisecond;
  world_.clock.after(pause, [this, number, op = client.op] {
    if (clients_[number].busy && clients_[number].op == op) attempt(number);
  });
}

void Clients::give_up(std::size_t number) {
  const Client& client = clients_[number];
  const ClientOp& op = ops_[client.op];
  if (op.kind <= Kind::Erase && !client.open) world_.judge.refused(op.write);
  rest(number);
}

void Clients::end(std::size_t number, LogPosition version) {
  Client& client = clients_[number];
  ClientOp& op = ops_[client.op];
  op.version = version;
  op.ended = world_.clock.now();
  if (op.kind != Kind::Eventual) client.token = std::max(client.token, version.seq);
  rest(number);
}

Clients::Client* Clients::waiting(Tag tag) {
  const auto attempt = static_cast<std::uint64_t>(tag);
  Client& client = clients_[attempts_[attempt].client];
  return client.busy && client.attempt == attempt ? &client : nullptr;
}

WriteId Clients::write_of(Tag tag) const {
  return ops_[attempts_[static_cast<std::uint64_t>(tag)].op].write;
}

void Clients::written(Tag tag, WriteOutcome outcome, LogPosition position) {
  if (world_.troubled && world_.random.chance(0.02)) return;
  const Micros way = world_.random.between(100, 3000);
  world_.clock.after(way, [this, tag, outcome, position] {
    Client* const client = waiting(tag);
    if (client == nullptr) return;
    const auto number = static_cast<std::size_t>(client - clients_.data());
    if (refused(outcome)) return try_again(number);
    if (outcome == WriteOutcome::Unknown) {
      ++world_.stats.unknown;
      client->open = true;
      return try_again(number);
    }
    ++world_.stats.acknowledged;
    end(number, position);
  });
}

void Clients::read(Tag tag, ReadOutcome outcome, const Cell& cell, Seq) {
  if (world_.troubled && world_.random.chance(0.02)) return;
  const Micros way = world_.random.between(100, 3000);
  world_.clock.after(way, [this, tag, outcome, cell] {
    Client* const client = waiting(tag);
    if (client == nullptr) return;
    const auto number = static_cast<std::size_t>(client - clients_.data());
    if (outcome != ReadOutcome::Granted) return try_again(number);
    ClientOp& op = ops_[client->op];
    op.write = cell.write;
    op.absent = cell.write == 0 || cell.erased;
    if (op.kind == Kind::Newest) ++world_.stats.newest;
    if (op.kind == Kind::Session) ++world_.stats.sessions;
    if (op.kind == Kind::Eventual) ++world_.stats.eventual;
    end(number, cell.version);
  });
}

void Clients::ask_for_everything() {
  for (Client& client : clients_) client.busy = false;
  Client& client = clients_.front();
  client.insists = true;
  client.left = kKeys;
  choose_target(client);
  begin(0, Kind::Write, 0);
}

bool Clients::answered_everything() const {
  const Client& client = clients_.front();
  return client.left == 0 && !client.busy;
}

}  // namespace quiver::simulation
