#include "service/operations/complete.h"

#include <algorithm>
#include <charconv>
#include <limits>

#include "service/point_text.h"
#include "service/problems.h"

namespace quiver::service {
namespace {

/// A collection with more fields than this is completed from these.
constexpr std::size_t kFieldsMax = 1000;
constexpr std::uint64_t kIdMax = std::numeric_limits<std::uint64_t>::max();

/// Collects values up to the limit and one beyond, which tells that there are more.
class Values {
 public:
  explicit Values(std::size_t limit) : limit_(limit) {}

  bool full() const noexcept { return values_.size() > limit_; }
  std::size_t room() const noexcept { return limit_ + 1 - values_.size(); }
  void add(std::string value) {
    if (!full()) values_.push_back(std::move(value));
  }
  /// `total`: if it is known though not all are here.
  CompleteResponse take(std::optional<std::uint64_t> total = std::nullopt) && {
    CompleteResponse out;
    out.has_more = full();
    if (full()) values_.resize(limit_);
    out.total = out.has_more ? total : values_.size();
    out.values = std::move(values_);
    return out;
  }

 private:
  std::size_t limit_;
  std::vector<std::string> values_;
};

/// All of `names` that begin with the prefix.
CompleteResponse matching(std::vector<std::string> names, const CompleteRequest& request) {
  std::erase_if(names, [&](const auto& name) { return !name.starts_with(request.prefix); });
  std::sort(names.begin(), names.end());
  const std::uint64_t total = names.size();
  Values values(request.limit);
  for (auto& name : names) values.add(std::move(name));
  return std::move(values).take(total);
}

Result<CompleteResponse> collections(Engine& engine, const CompleteRequest& request) {
  QV_TRY(const auto specs, engine.collections.list());
  std::vector<std::string> names;
  names.reserve(specs.size());
  for (const auto& spec : specs) names.push_back(spec.name);
  return matching(std::move(names), request);
}

Result<CompleteResponse> fields(const CallContext& call, cluster::Collection& collection,
                                const CompleteRequest& request) {
  QV_TRY(auto found, collection.fields(call, kFieldsMax));
  std::vector<std::string> names;
  names.reserve(found.size());
  for (auto& field : found) names.push_back(std::move(field.name));
  return matching(std::move(names), request);
}

constexpr Projection kIdsOnly{false, false, false};

/// Adds the integer ids from `low` to `high`.
Status add_integers(const CallContext& call, cluster::Collection& collection, std::uint64_t low,
                    std::uint64_t high, Values& values) {
  std::optional<PointId> after;
  if (low > 0) after = PointId(low - 1);
  QV_TRY(const auto page, collection.scroll(call, std::nullopt, after, values.room(), kIdsOnly));
  for (const auto& point : page.points) {
    // Integers come before strings.
    const Json id = point.id.to_json();
    if (!id.is_number() || id.get<std::uint64_t>() > high) break;
    values.add(std::to_string(id.get<std::uint64_t>()));
  }
  return Done{};
}

/// The integers whose digits begin so lie in one range for each number of digits.
Status add_integers_with(const CallContext& call, cluster::Collection& collection,
                         const std::string& digits, Values& values) {
  std::uint64_t low = 0;
  const auto* end = digits.data() + digits.size();
  const auto [stop, problem] = std::from_chars(digits.data(), end, low);
  if (problem != std::errc() || stop != end) return Done{};
  const bool has_leading_zero = digits.front() == '0';
  if (has_leading_zero && digits.size() > 1) return Done{};
  std::uint64_t width = 1;
  while (!values.full()) {
    const std::uint64_t high = kIdMax - low < width - 1 ? kIdMax : low + (width - 1);
    QV_CHECK(add_integers(call, collection, low, high, values));
    if (has_leading_zero || low > kIdMax / 10) break;
    low *= 10;
    width *= 10;
  }
  return Done{};
}

/// `quoted`: the prefix was typed as JSON, and is completed as such.
Status add_strings_with(const CallContext& call, cluster::Collection& collection,
                        const std::string& prefix, bool quoted, Values& values) {
  const auto text_of = [&](const PointId& id) {
    return quoted ? compact(id.to_json()) : point_text(id);
  };
  std::optional<PointId> from;
  if (!prefix.empty()) {
    QV_TRY(from, PointId::from_text(prefix));
    QV_TRY(const auto same, collection.get(call, {*from}, kIdsOnly));
    if (!same.empty()) values.add(text_of(*from));
  } else {
    // Integers come before strings.
    from = PointId(kIdMax);
  }
  if (values.full()) return Done{};
  QV_TRY(const auto page, collection.scroll(call, std::nullopt, from, values.room(), kIdsOnly));
  for (const auto& point : page.points) {
    const Json text = point.id.to_json();
    if (!text.is_string() || !text.get_ref<const std::string&>().starts_with(prefix)) break;
    values.add(text_of(point.id));
  }
  return Done{};
}

/// The string that `typed` is in JSON. Nothing: it is none.
std::optional<std::string> json_string(const std::string& typed) {
  const Json json = Json::parse(typed, nullptr, false);
  return json.is_string() ? std::optional(json.get<std::string>()) : std::nullopt;
}

/// Strings whose JSON form begins like what was typed.
Status add_quoted(const CallContext& call, cluster::Collection& collection,
                  const std::string& typed, Values& values) {
  const auto whole = json_string(typed);
  if (whole) {
    if (whole->empty()) return Done{};
    QV_TRY(const auto id, PointId::from_text(*whole));
    QV_TRY(const auto same, collection.get(call, {id}, kIdsOnly));
    if (!same.empty()) values.add(compact(id.to_json()));
    return Done{};
  }
  const auto begun = json_string(typed + '"');
  return begun ? add_strings_with(call, collection, *begun, true, values) : Status(Done{});
}

Result<CompleteResponse> points(const CallContext& call, cluster::Collection& collection,
                                const CompleteRequest& request) {
  Values values(request.limit);
  const std::string& prefix = request.prefix;
  if (prefix.empty()) {
    QV_TRY(const auto page,
           collection.scroll(call, std::nullopt, std::nullopt, values.room(), kIdsOnly));
    for (const auto& point : page.points) values.add(point_text(point.id));
    return std::move(values).take();
  }
  if (prefix.starts_with('"')) {
    QV_CHECK(add_quoted(call, collection, prefix, values));
    return std::move(values).take();
  }
  QV_CHECK(add_integers_with(call, collection, prefix, values));
  if (!values.full()) QV_CHECK(add_strings_with(call, collection, prefix, false, values));
  return std::move(values).take();
}

}  // namespace

void CompleteRequest::check(const Path& path, Problems& problems) const {
  const bool needs = kind != CompleteKind::Collection;
  if (needs == collection.has_value()) return;
  problems.add(Path(path, "collection"),
               needs ? "required" : "has no meaning with kind=collection; leave it out");
}

Result<CompleteResponse> complete(const CallContext& call, Engine& engine,
                                  const CompleteRequest& request) {
  if (request.kind == CompleteKind::Collection) return collections(engine, request);
  QV_TRY(const auto collection, engine.collections.find(*request.collection));
  if (request.kind == CompleteKind::Field) return fields(call, *collection, request);
  return points(call, *collection, request);
}

Operation complete_operation() {
  return operation(About{"complete", "Complete a name",
                         "Names of collections, fields or points that begin with a prefix.",
                         Toolset::Collection, Access::Read, Effects{false, true}, Route{}, false},
                   &complete);
}

}  // namespace quiver::service
