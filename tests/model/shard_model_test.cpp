// A shard against a std::map: random writes, questions, clean stops, crashes, damaged index
// snapshots and retries. Answers are compared with a look at every point of the map. A failing seed
// goes into kSeeds.

#include <algorithm>
#include <cmath>
#include <deque>
#include <fstream>
#include <functional>
#include <map>
#include <random>

#include <spdlog/spdlog.h>

#include "tests/storage/shard_fixture.h"

using namespace quiver;
using namespace quiver::storage;
using namespace quiver::storage::test;

namespace {

constexpr std::size_t kOperations = 1500;
constexpr std::size_t kDimension = 5;
constexpr std::size_t kIds = 400;
constexpr std::uint64_t kLogEntriesKept = 60;

Options small_options() {
  Options options;
  options.block_cache_bytes = 1 << 20;
  // Small enough that RocksDB flushes by itself in the middle of a run.
  options.write_buffer_bytes = 256 << 10;
  options.exact_search_points = 60;
  options.default_ef = 64;
  options.index_threads = 1;
  options.log_entries_kept = kLogEntriesKept;
  options.log_bytes_kept = 64 << 10;
  return options;
}

/// A filter as the shard gets it, and what it means.
struct Question {
  std::optional<Filter> filter;
  std::function<bool(const Json&)> holds;
};

class Model {
 public:
  Model(std::uint32_t seed, Metric metric, const ScratchDirectory& scratch)
      : random_(seed),
        metric_(metric),
        shard_(scratch / "shard", spec_of(kDimension, metric), small_options()) {}

  void run() {
    spdlog::set_level(spdlog::level::err);
    REQUIRE(error_of(shard_.open()) == "");
    for (std::size_t i = 0; i < kOperations; ++i) {
      INFO("operation " << i);
      step();
    }
    check_everything();
    INFO("graph searches found " << found_ << " of " << wanted_);
    CHECK(static_cast<double>(found_) >= 0.97 * static_cast<double>(wanted_));
    // Without these the run would prove little.
    CHECK(crashes_ > 0);
    CHECK(reopenings_ > 0);
    CHECK(replayed_ > 0);
    CHECK(trimmed_);
  }

 private:
  std::size_t below(std::size_t bound) { return random_() % bound; }
  bool one_in(std::size_t n) { return below(n) == 0; }

  void step() {
    const auto dice = below(100);
    if (dice < 40) {
      write(upsert());
    } else if (dice < 48) {
      write(ErasePoints{some_ids(1 + below(6))});
    } else if (dice < 58) {
      write(update());
    } else if (dice < 62) {
      purge();
    } else if (dice < 66) {
      shard_.clock.advance(static_cast<std::int64_t>(below(400)));
    } else if (dice < 70) {
      retry();
    } else if (dice < 72) {
      append_and_take_back();
    } else if (dice < 75) {
      write_several();
    } else if (dice < 83) {
      check_search();
    } else if (dice < 89) {
      check_scroll();
    } else if (dice < 94) {
      check_count_and_ids();
    } else if (dice < 98) {
      check_get();
    } else {
      disturb();
    }
    trimmed_ = trimmed_ || !shard_->read_log(Seq{1}, 1).ok();
  }

  // -- drawing

  PointId some_id() {
    const auto number = below(kIds);
    if (number % 3 != 0) return PointId(number);
    return PointId::from_text("id-" + std::to_string(number)).value();
  }
  std::vector<PointId> some_ids(std::size_t count) {
    std::vector<PointId> ids;
    for (std::size_t i = 0; i < count; ++i) ids.push_back(some_id());
    return ids;
  }
  std::vector<float> some_vector() {
    std::normal_distribution<float> normal;
    std::vector<float> out(kDimension);
    for (auto& x : out) x = normal(random_) + 0.01F;
    return out;
  }
  Json some_payload() {
    Json out{{"n", below(20)}};
    static const std::vector<std::string> kColors{"red", "green", "blue"};
    if (!one_in(5)) out["color"] = kColors[below(kColors.size())];
    if (one_in(3)) out["opt"] = one_in(2) ? Json() : Json(below(3));
    // Longer than the payload index keeps: its answers are inexact there.
    if (one_in(3)) out["long"] = std::string(300, 'x') + std::to_string(below(3));
    if (one_in(3)) out["tags"] = Json::array({below(4), "t" + std::to_string(below(4))});
    return out;
  }
  UpsertPoints upsert() {
    UpsertPoints out;
    for (std::size_t n = 1 + below(12); n > 0; --n) {
      Point point = point_of(some_id(), some_vector(), some_payload());
      if (one_in(2)) point.text = "text " + std::to_string(below(1000));
      point.created_at_ms = shard_.clock.wall_ms();
      if (one_in(5)) {
        point.expires_at_ms = shard_.clock.wall_ms() + static_cast<std::int64_t>(below(3000)) - 20;
      }
      out.points.push_back(std::move(point));
    }
    return out;
  }
  UpdatePayload update() {
    UpdatePayload out;
    out.ids = some_ids(1 + below(8));
    out.mode = one_in(3) ? UpdatePayload::Mode::Replace : UpdatePayload::Mode::Merge;
    out.payload = some_payload();
    if (one_in(3)) out.payload["color"] = nullptr;
    return out;
  }
  RequestId some_request() {
    RequestId id;
    for (auto& byte : id.bytes) byte = static_cast<std::uint8_t>(below(256));
    id.bytes[0] |= 1;
    return id;
  }
  Question question() {
    const auto number = static_cast<std::int64_t>(below(20));
    switch (below(7)) {
      case 0: return {std::nullopt, [](const Json&) { return true; }};
      case 1:
        return {filter_of({{"color", "red"}}),
                [](const Json& p) { return p.value("color", Json()) == "red"; }};
      case 2:
        return {filter_of({{"n", {{"$gte", number}}}}), [number](const Json& p) {
                  return p.contains("n") && p.at("n").get<std::int64_t>() >= number;
                }};
      case 3:
        return {filter_of({{"color", {{"$ne", "blue"}}}, {"n", {{"$lt", number}}}}),
                [number](const Json& p) {
                  return p.value("color", Json()) != "blue" && p.contains("n") &&
                         p.at("n").get<std::int64_t>() < number;
                }};
      case 4:
        return {filter_of({{"opt", {{"$exists", true}}}}),
                [](const Json& p) { return p.contains("opt"); }};
      case 5:
        return {filter_of({{"long", std::string(300, 'x') + "1"}}), [](const Json& p) {
                  return p.value("long", Json()) == std::string(300, 'x') + "1";
                }};
      default:
        return {filter_of({{"tags", "t2"}}), [](const Json& p) {
                  if (!p.contains("tags")) return false;
                  const auto& tags = p.at("tags");
                  return std::find(tags.begin(), tags.end(), "t2") != tags.end();
                }};
    }
  }
  static Filter filter_of(const Json& json) {
    auto filter = Filter::parse(json);
    REQUIRE(error_of(filter) == "");
    return *filter;
  }

  // -- writing

  MutationResult expected(const UpsertPoints& upsert) {
    std::map<PointId, Point> last;
    for (const auto& point : upsert.points) last[point.id] = point;
    MutationResult result{last.size(), 0};
    for (const auto& [id, point] : last) {
      result.created += points_.count(id) == 0 ? 1 : 0;
      points_[id] = point;
    }
    return result;
  }
  MutationResult expected(const ErasePoints& erase) {
    MutationResult result;
    for (const auto& id : erase.ids) result.affected += points_.erase(id);
    return result;
  }
  MutationResult expected(const EraseExpired& erase) {
    MutationResult result;
    for (const auto& id : erase.ids) {
      const auto found = points_.find(id);
      if (found == points_.end() || found->second.expires_at_ms == 0) continue;
      if (found->second.expires_at_ms > erase.before_ms) continue;
      points_.erase(found);
      ++result.affected;
    }
    return result;
  }
  MutationResult expected(const UpdatePayload& update) {
    MutationResult result;
    for (auto& [id, point] : points_) {
      if (std::find(update.ids.begin(), update.ids.end(), id) == update.ids.end()) continue;
      ++result.affected;
      if (update.mode == UpdatePayload::Mode::Replace) {
        point.payload = update.payload;
      } else {
        point.payload.merge_patch(update.payload);
      }
    }
    return result;
  }
  MutationResult expect(const Mutation& mutation, const RequestId& request) {
    const auto result = std::visit([&](const auto& value) { return expected(value); }, mutation);
    ++seq_;
    if (!request.empty()) requests_.push_back({request, seq_, result});
    return result;
  }

  void write(Mutation mutation) {
    const auto request = one_in(2) ? some_request() : RequestId{};
    const auto result = shard_.write(mutation, request);
    REQUIRE(error_of(result) == "");
    REQUIRE(*result == expect(mutation, request));
  }
  /// Several entries in one append, applied one part at a time.
  void write_several() {
    std::vector<LogEntry> entries;
    for (std::size_t n = 2 + below(5); n > 0; --n) {
      const auto request = one_in(2) ? some_request() : RequestId{};
      entries.push_back(shard_.entry(upsert(), request, entries.size()));
    }
    REQUIRE(error_of(shard_->append(entries)) == "");
    const auto middle = entries[below(entries.size())].seq;
    auto results = shard_->apply_through(middle);
    REQUIRE(error_of(results) == "");
    const auto rest = shard_->apply_through(entries.back().seq);
    REQUIRE(error_of(rest) == "");
    results->insert(results->end(), rest->begin(), rest->end());
    REQUIRE(results->size() == entries.size());
    for (std::size_t i = 0; i < entries.size(); ++i) {
      REQUIRE((*results)[i] == expect(entries[i].mutation, entries[i].request_id));
    }
    REQUIRE(shard_->apply_through(middle)->empty());
  }
  /// What was not committed leaves no trace.
  void append_and_take_back() {
    const auto before = shard_->tail();
    std::vector<LogEntry> entries;
    for (std::size_t n = 1 + below(3); n > 0; --n) {
      entries.push_back(shard_.entry(upsert(), some_request(), entries.size()));
    }
    REQUIRE(error_of(shard_->append(entries)) == "");
    REQUIRE(error_of(shard_->truncate_after(before.seq)) == "");
    REQUIRE(shard_->tail() == before);
    for (const auto& entry : entries) REQUIRE_FALSE(shard_->find_request(entry.request_id));
  }
  void purge() {
    const auto now = shard_.clock.wall_ms();
    const auto ids = shard_->expired(now, 5);
    std::vector<std::pair<std::int64_t, PointId>> due;
    for (const auto& [id, point] : points_) {
      if (!visible(point)) due.emplace_back(point.expires_at_ms, id);
    }
    REQUIRE(ids.size() == std::min<std::size_t>(5, due.size()));
    for (const auto& id : ids) REQUIRE_FALSE(visible(points_.at(id)));
    if (one_in(2) && !ids.empty()) {
      // Rewritten in between: no longer expired, and not to be erased.
      Point fresh = point_of(ids[0], some_vector(), some_payload());
      write(UpsertPoints{{fresh}});
    }
    write(EraseExpired{ids, now});
  }
  void retry() {
    if (requests_.empty()) return;
    const auto& request =
        requests_[requests_.size() - 1 -
                  below(std::min<std::size_t>(requests_.size(), kLogEntriesKept))];
    if (seq_ - request.seq >= kLogEntriesKept) return;
    const auto known = shard_->find_request(request.id);
    REQUIRE(known);
    REQUIRE(*known == request.result);
    // Should it get into the log again all the same, it must not take effect again.
    const auto again = shard_.write(upsert(), request.id);
    REQUIRE(error_of(again) == "");
    REQUIRE(*again == request.result);
    ++seq_;
  }

  // -- disturbing

  void disturb() {
    switch (below(4)) {
      case 0:
        ++reopenings_;
        REQUIRE(error_of(shard_.open()) == "");
        REQUIRE(shard_.recovered().empty());
        break;
      case 1:
        ++crashes_;
        REQUIRE(error_of(shard_.crash()) == "");
        replayed_ += shard_.recovered().size();
        break;
      case 2: REQUIRE(error_of(shard_->flush_index(CallContext{})) == ""); break;
      default: damage_index(); break;
    }
    REQUIRE(raw(shard_->tail().seq) == seq_);
    REQUIRE(raw(shard_->applied()) == seq_);
    check_everything();
  }
  void damage_index() {
    REQUIRE(error_of(shard_->flush_index(CallContext{})) == "");
    shard_.close();
    const auto file = shard_.directory() / "index.graph";
    if (std::filesystem::exists(file)) {
      const auto size = std::filesystem::file_size(file);
      switch (below(3)) {
        case 0: std::filesystem::remove(file); break;
        case 1: std::filesystem::resize_file(file, below(size)); break;
        default: flip_byte(file, below(size)); break;
      }
    }
    REQUIRE(error_of(shard_.open()) == "");
  }
  static void flip_byte(const std::filesystem::path& file, std::size_t at) {
    std::fstream stream(file, std::ios::in | std::ios::out | std::ios::binary);
    stream.seekg(static_cast<std::streamoff>(at));
    const auto byte = static_cast<char>(stream.get() ^ 0x40);
    stream.seekp(static_cast<std::streamoff>(at));
    stream.put(byte);
  }

  // -- asking

  bool visible(const Point& point) const {
    return point.expires_at_ms == 0 || point.expires_at_ms > shard_.clock.wall_ms();
  }
  std::vector<const Point*> matching(const Question& question) const {
    std::vector<const Point*> out;
    for (const auto& [id, point] : points_) {
      if (visible(point) && question.holds(point.payload)) out.push_back(&point);
    }
    return out;
  }
  double score_of(const std::vector<float>& a, const std::vector<float>& b) const {
    double dot = 0;
    double square = 0;
    double a2 = 0;
    double b2 = 0;
    for (std::size_t i = 0; i < a.size(); ++i) {
      const double x = a[i];
      const double y = b[i];
      dot += x * y;
      square += (x - y) * (x - y);
      a2 += x * x;
      b2 += y * y;
    }
    if (metric_ == Metric::Cosine) return dot / std::sqrt(a2 * b2);
    return metric_ == Metric::Dot ? dot : -std::sqrt(square);
  }
  static void check_same(const Point& got, const Point& want, const Projection& projection) {
    REQUIRE(got.id == want.id);
    REQUIRE(got.created_at_ms == want.created_at_ms);
    REQUIRE(got.expires_at_ms == want.expires_at_ms);
    REQUIRE(got.payload == (projection.payload ? want.payload : Json::object()));
    REQUIRE(got.text == (projection.text ? want.text : std::nullopt));
    REQUIRE(got.vector == (projection.vector ? want.vector : std::vector<float>()));
  }
  Projection some_projection() { return {one_in(2), one_in(2), one_in(2)}; }

  void check_search() {
    const auto asked = question();
    ShardQuery query;
    query.vector = some_vector();
    query.k = 1 + below(30);
    query.filter = asked.filter;
    query.exact = one_in(2);
    query.projection = some_projection();
    const auto hits = shard_->search(CallContext{}, query);
    REQUIRE(error_of(hits) == "");

    const auto candidates = matching(asked);
    std::vector<double> scores;
    for (const auto* point : candidates) scores.push_back(score_of(point->vector, query.vector));
    std::sort(scores.begin(), scores.end(), std::greater<>());
    const std::size_t count = std::min(query.k, candidates.size());
    REQUIRE(hits->size() == count);
    if (count == 0) return;
    const double worst = scores[count - 1] - 1e-4;
    for (std::size_t i = 0; i < count; ++i) {
      const auto& hit = (*hits)[i];
      const auto& point = points_.at(hit.point.id);
      check_same(hit.point, point, query.projection);
      REQUIRE((visible(point) && asked.holds(point.payload)));
      const double score = score_of(point.vector, query.vector);
      REQUIRE(hit.score == Approx(score).margin(1e-4));
      if (i > 0) REQUIRE(hit.score <= (*hits)[i - 1].score);
      if (query.exact) REQUIRE(score >= worst);
      if (!query.exact) found_ += score >= worst ? 1 : 0;
    }
    if (!query.exact) wanted_ += count;
  }

  void check_scroll() {
    const auto asked = question();
    ScrollQuery query;
    query.filter = asked.filter;
    query.limit = 1 + below(40);
    query.projection = some_projection();
    if (one_in(2)) query.after = some_id();
    std::vector<const Point*> want;
    for (const auto* point : matching(asked)) {
      if (!query.after || point->id > *query.after) want.push_back(point);
    }
    want.resize(std::min(want.size(), query.limit));
    const auto page = shard_->scroll(CallContext{}, query);
    REQUIRE(error_of(page) == "");
    REQUIRE(page->size() == want.size());
    for (std::size_t i = 0; i < want.size(); ++i) {
      check_same((*page)[i], *want[i], query.projection);
    }
  }

  void check_count_and_ids() {
    const auto asked = question();
    const auto want = matching(asked);
    REQUIRE(shard_->count(CallContext{}, asked.filter).value() == want.size());
    REQUIRE(shard_->stats().points ==
            matching({std::nullopt, [](const Json&) { return true; }}).size());
    if (!asked.filter) return;
    const std::size_t limit = 1 + below(50);
    const auto ids = shard_->ids_matching(CallContext{}, *asked.filter, limit);
    REQUIRE(error_of(ids) == "");
    REQUIRE(ids->size() == std::min(limit, want.size()));
    for (std::size_t i = 0; i < ids->size(); ++i) REQUIRE((*ids)[i] == want[i]->id);
  }

  void check_get() {
    const auto ids = some_ids(1 + below(10));
    const auto projection = some_projection();
    std::vector<const Point*> want;
    for (const auto& id : ids) {
      const auto found = points_.find(id);
      if (found != points_.end() && visible(found->second)) want.push_back(&found->second);
    }
    const auto got = shard_->get(ids, projection);
    REQUIRE(error_of(got) == "");
    REQUIRE(got->size() == want.size());
    for (std::size_t i = 0; i < want.size(); ++i) check_same((*got)[i], *want[i], projection);
  }

  void check_everything() {
    ScrollQuery query;
    query.limit = kIds + 1;
    query.projection = {true, true, true};
    const auto all = shard_->scroll(CallContext{}, query);
    REQUIRE(error_of(all) == "");
    const auto want = matching({std::nullopt, [](const Json&) { return true; }});
    REQUIRE(all->size() == want.size());
    for (std::size_t i = 0; i < want.size(); ++i) {
      check_same((*all)[i], *want[i], query.projection);
    }
    for (int i = 0; i < 3; ++i) {
      check_search();
      check_count_and_ids();
    }
  }

  struct Request {
    RequestId id;
    std::uint64_t seq;
    MutationResult result;
  };

  std::mt19937 random_;
  const Metric metric_;
  TestShard shard_;
  std::map<PointId, Point> points_;
  std::uint64_t seq_ = 0;
  std::deque<Request> requests_;
  std::size_t found_ = 0;
  std::size_t wanted_ = 0;
  std::size_t crashes_ = 0;
  std::size_t reopenings_ = 0;
  std::size_t replayed_ = 0;
  bool trimmed_ = false;
};

void run(std::uint32_t seed, Metric metric) {
  INFO("seed " << seed << " metric " << name(metric));
  const ScratchDirectory scratch(ScratchDirectory::Where::Memory);
  Model(seed, metric, scratch).run();
}

}  // namespace

TEST_CASE("model: a shard does what a map does, under cosine", "[model]") {
  run(1, Metric::Cosine);
}

TEST_CASE("model: a shard does what a map does, under dot", "[model]") {
  run(2, Metric::Dot);
}

TEST_CASE("model: a shard does what a map does, under euclidean", "[model]") {
  run(3, Metric::Euclidean);
}

TEST_CASE("model: a shard does what a map does, with a seed of today", "[model]") {
  const std::uint32_t seed = std::random_device{}();
  WARN("seed " << seed);
  run(seed, Metric::Cosine);
}
