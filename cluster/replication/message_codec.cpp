#include "cluster/replication/message_codec.h"

#include <chrono>
#include <utility>
#include <vector>

#include "storage/coding.h"

namespace quiver::cluster::replication {
namespace {

using storage::ByteReader;
using storage::ByteWriter;

constexpr std::uint8_t kVersion = 1;
constexpr std::size_t kReignBytes = sizeof(Term) + sizeof(Seq);

enum class Kind : std::uint8_t {
  Append = 1,
  Ack = 2,
  Stale = 3,
  Mismatch = 4,
  Resigned = 5,
  Snapshot = 6,
};

Error malformed(std::string_view how) {
  return {ErrorCode::InvalidArgument, "a message between copies is malformed: " + std::string(how)};
}

void put(ByteWriter& out, Time time) {
  out.number(std::chrono::duration_cast<std::chrono::nanoseconds>(time.time_since_epoch()).count());
}
void put(ByteWriter& out, LogPosition position) {
  out.number(position.term);
  out.number(position.seq);
}
void put(ByteWriter& out, const History& history) {
  out.number(history.tail());
  out.number(static_cast<std::uint32_t>(history.reigns().size()));
  for (const auto& reign : history.reigns()) {
    out.number(reign.term);
    out.number(reign.first);
  }
}

Time take_time(ByteReader& in) {
  const std::chrono::nanoseconds since{in.number<std::chrono::nanoseconds::rep>()};
  return Time{std::chrono::duration_cast<Duration>(since)};
}
LogPosition take_position(ByteReader& in) {
  const auto term = in.number<Term>();
  return {term, in.number<Seq>()};
}
History take_history(ByteReader& in) {
  const auto tail = in.number<Seq>();
  std::vector<History::Reign> reigns(in.count(kReignBytes));
  for (auto& reign : reigns) {
    reign.term = in.number<Term>();
    reign.first = in.number<Seq>();
  }
  return {std::move(reigns), tail};
}

void put(ByteWriter& out, const Append& append) {
  out.number(Kind::Append);
  out.number(append.term);
  put(out, append.prev);
  out.number(append.through);
  out.number(append.gate);
  out.number(append.commit);
  out.number(append.standing);
  put(out, append.sent_at);
}
void put(ByteWriter& out, const Ack& ack) {
  out.number(Kind::Ack);
  out.number(ack.term);
  out.number(ack.matched);
  put(out, ack.sent_at);
}
void put(ByteWriter& out, const Stale& stale) {
  out.number(Kind::Stale);
  out.number(stale.seen);
}
void put(ByteWriter& out, const Mismatch& mismatch) {
  out.number(Kind::Mismatch);
  out.number(mismatch.term);
  put(out, mismatch.history);
  out.number(mismatch.applied);
}
void put(ByteWriter& out, const Resigned& resigned) {
  out.number(Kind::Resigned);
  out.number(resigned.next);
}

Result<Message> take_append(ByteReader& in) {
  Append append;
  append.term = in.number<Term>();
  append.prev = take_position(in);
  append.through = in.number<Seq>();
  append.gate = in.number<Seq>();
  append.commit = in.number<Seq>();
  append.standing = in.number<Standing>();
  append.sent_at = take_time(in);
  if (append.through < append.prev.seq) return malformed("it ends before it begins");
  if (append.standing < Standing::Outside || append.standing > Standing::InSync) {
    return malformed("an unknown standing");
  }
  return Message(append);
}

Result<Message> take_message(ByteReader& in) {
  switch (in.number<Kind>()) {
    case Kind::Append: return take_append(in);
    case Kind::Ack: {
      const auto term = in.number<Term>();
      const auto matched = in.number<Seq>();
      return Message(Ack{term, matched, take_time(in)});
    }
    case Kind::Stale: return Message(Stale{in.number<Term>()});
    case Kind::Mismatch: {
      Mismatch mismatch;
      mismatch.term = in.number<Term>();
      mismatch.history = take_history(in);
      mismatch.applied = in.number<Seq>();
      if (!mismatch.history.check()) return malformed("its terms do not rise");
      return Message(std::move(mismatch));
    }
    case Kind::Resigned: return Message(Resigned{in.number<Term>()});
    case Kind::Snapshot: break;
  }
  return malformed("an unknown kind");
}

Status check_version(ByteReader& in) {
  const auto version = in.number<std::uint8_t>();
  if (!in.ok()) return malformed("it is empty");
  if (version == kVersion) return Done{};
  return Error{ErrorCode::FailedPrecondition,
               "a message between copies has version " + std::to_string(version) +
                   "; this program reads version " + std::to_string(kVersion)};
}

}  // namespace

std::string encode_message(const Message& message) {
  ByteWriter out;
  out.number(kVersion);
  std::visit([&](const auto& what) { put(out, what); }, message);
  return out.take();
}

Result<Message> decode_message(std::string_view bytes) {
  ByteReader in(bytes);
  QV_CHECK(check_version(in));
  auto message = take_message(in);
  if (!message.ok()) return message;
  if (!in.complete()) return malformed("it is cut short, or goes on behind its end");
  return message;
}

std::string encode_snapshot(const SnapshotReceived& snapshot) {
  ByteWriter out;
  out.number(kVersion);
  out.number(Kind::Snapshot);
  out.number(snapshot.term);
  put(out, snapshot.history);
  put(out, snapshot.sent_at);
  return out.take();
}

Result<SnapshotReceived> decode_snapshot(std::string_view bytes) {
  ByteReader in(bytes);
  QV_CHECK(check_version(in));
  if (in.number<Kind>() != Kind::Snapshot) return malformed("it is of no snapshot");
  SnapshotReceived snapshot;
  snapshot.term = in.number<Term>();
  snapshot.history = take_history(in);
  snapshot.sent_at = take_time(in);
  if (!in.complete()) return malformed("it is cut short, or goes on behind its end");
  if (!snapshot.history.check()) return malformed("its terms do not rise");
  return snapshot;
}

}  // namespace quiver::cluster::replication
