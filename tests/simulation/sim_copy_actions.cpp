// What the shell of a simulated copy does when its ReplicationFsm says so.

#include <algorithm>
#include <utility>

#include "tests/simulation/sim_copy.h"
#include "tests/simulation/world.h"

namespace quiver::simulation {

void SimCopy::act(const PersistTerm& action) {
  world_.note(letter(), " sees term ", raw(action.term));
  disk_.persist_term(action.term, issued_ = action.ticket);
}

void SimCopy::act(const AppendWrite& action) {
  world_.judge.reigned(letter(), action.position.term);
  const Entry entry{action.position.term, call_->write, call_->key, call_->erases};
  world_.note(letter(), " appends write ", entry.write, " at ", raw(action.position.term), ".",
              raw(action.position.seq));
  disk_.append({&entry, 1}, issued_ = action.ticket);
}

void SimCopy::act(const AppendReceived& action) {
  const Seq prev = std::get<Append>(arriving_->received.message).prev.seq;
  const auto bodies = std::span{arriving_->bodies}.subspan(raw(action.first) - raw(prev) - 1);
  disk_.append(bodies, issued_ = action.ticket);
  world_.note(letter(), " copies up to ", raw(disk_.tail()));
}

void SimCopy::act(const TruncateAfter& action) {
  ++world_.stats.truncations;
  world_.note(letter(), " truncates after ", raw(action.last));
  if (action.last < state_.at()) {
    world_.judge.fail(std::string{"copy "} + letter() + " undoes what readers have seen");
    return;
  }
  disk_.truncate_after(action.last, issued_ = action.ticket);
}

void SimCopy::act(const InstallSnapshot& action) {
  ++world_.stats.snapshots;
  world_.note(letter(), " installs a snapshot at ", raw(action.position.seq));
  if (action.position.seq < state_.at()) {
    world_.judge.fail(std::string{"copy "} + letter() + " goes back to an older snapshot");
    return;
  }
  disk_.install(*image_, state_.at(), issued_ = action.ticket);
  state_ = image_->state;
}

void SimCopy::act(const ApplyThrough& action) {
  while (state_.at() < action.seq) {
    const Seq seq = next(state_.at());
    const Entry& entry = disk_.entry(seq);
    world_.judge.applied(letter(), seq, entry);
    state_.apply(entry, !world_.variant.forgets_requests);
  }
}

void SimCopy::act(const Send& action) {
  Packet packet;
  packet.received.from = id();
  packet.received.message = action.message;
  if (const auto* append = std::get_if<Append>(&action.message)) {
    if (append->through > append->prev.seq) {
      const auto entries = disk_.entries(next(append->prev.seq), append->through);
      packet.bodies.assign(entries.begin(), entries.end());
      for (const Entry& entry : entries) {
        const bool named = !world_.variant.forgets_requests;
        packet.received.heads.push_back(
            {entry.term, named ? request_id(entry.write) : RequestId{}});
      }
    }
  }
  world_.network.send(number_, world_.number_of(action.to), std::move(packet));
}

void SimCopy::act(const SendSnapshot& action) {
  auto history = disk_.history();
  history.truncate_after(state_.at());
  auto image = std::make_shared<const Image>(Image{state_, std::move(history)});
  SnapshotReceived received{id(), action.term, image->history, action.sent_at};
  const std::size_t to = world_.number_of(action.to);
  const Micros takes = world_.random.between(50, 800) * kMillisecond;
  const bool breaks = world_.troubled && world_.random.chance(0.2);
  world_.clock.after(takes, [&world = world_, from = number_, to, image, received, breaks] {
    SimCopy& target = *world.copies[to];
    const bool arrived = !breaks && target.answers() && !world.network.is_cut(from, to);
    if (arrived) {
      target.run([&target, image, received] {
        target.image_ = image.get();
        target.step(received);
        target.image_ = nullptr;
      });
    }
    SimCopy& source = *world.copies[from];
    source.run([&source, id = target.id(), arrived] { source.step(SnapshotEnded{id, arrived}); });
  });
}

void SimCopy::act(const SwapRecord& action) {
  if (world_.variant.resigns_early && action.desired->primary != id()) {
    act(Send{action.desired->primary, Resigned{action.desired->term}});
  }
  world_.note(letter(), " asks for record ", static_cast<std::uint64_t>(action.expected) + 1, ": ",
              show(*action.desired));
  world_.store.swap(
      number_, action.expected, action.desired,
      [this, of = incarnation_, id = action.id](SwapOutcome outcome, Revision revision) {
        if (outcome == SwapOutcome::Unknown && world_.variant.unknown_is_failed) {
          outcome = SwapOutcome::NotWritten;
        }
        if (of == incarnation_) run([=, this] { step(SwapAnswered{id, outcome, revision}); });
      });
}

void SimCopy::act(const ReadRecord&) {
  world_.store.read(number_, [this, of = incarnation_](const ShardState& record, Revision at) {
    if (of == incarnation_) see_record(record, at);
  });
}

void SimCopy::act(const Retire&) {
  world_.note(letter(), " retires");
  retired_ = true;
}

void SimCopy::act(const AnswerWrite& action) {
  const WriteId write = world_.clients.write_of(action.tag);
  LogPosition position = action.position;
  if (action.outcome == WriteOutcome::DoneBefore) position = state_.applied(write);
  if (!refused(action.outcome) && action.outcome != WriteOutcome::Unknown) {
    world_.acknowledged(position, write);
  }
  world_.note(letter(), " answers write ", write, " with ", static_cast<int>(action.outcome));
  world_.clients.written(action.tag, action.outcome, position);
}

void SimCopy::act(const AnswerRead& action) {
  const auto asked = std::find_if(reads_.begin(), reads_.end(),
                                  [&](const ReadKey& each) { return each.tag == action.tag; });
  const Cell cell = state_.cell(asked->key);
  reads_.erase(asked);
  if (action.outcome == ReadOutcome::Granted && state_.at() < action.at_least) {
    world_.judge.fail(std::string{"copy "} + letter() + " answers a read before it applied");
  }
  world_.clients.read(action.tag, action.outcome, cell, state_.at());
}

}  // namespace quiver::simulation
