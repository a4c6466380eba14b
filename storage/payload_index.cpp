#include "storage/payload_index.h"

#include <algorithm>
#include <cassert>
#include <map>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <variant>

#include "storage/field_index.h"
#include "storage/payload_walk.h"
#include "storage/slot_postings.h"

namespace quiver::storage {
namespace {

constexpr std::size_t kExamplesShown = 3;

struct StringHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const noexcept {
    return std::hash<std::string_view>()(text);
  }
};

struct Field {
  explicit Field(std::size_t values_max) : index(values_max) {}

  FieldIndex index;
  /// Made while some payloads had been refused fields: one of them may have been this.
  bool late = false;
};

using Conditions = std::vector<const Filter::Condition*>;
using Fields = std::unordered_map<std::string, Field, StringHash, std::equal_to<>>;

/// What is known of the slots that a node matches: `certain` of `possible` do for sure.
struct Answer {
  SlotSet possible;
  /// Nothing: all of them.
  std::optional<SlotSet> certain;

  const SlotSet& lower() const { return certain ? *certain : possible; }
};

void intersect(Answer& answer, const Answer& next) {
  if (answer.certain || next.certain) {
    if (!answer.certain) answer.certain = answer.possible;
    *answer.certain &= next.lower();
  }
  answer.possible &= next.possible;
}

void unite(Answer& answer, const Answer& next) {
  if (answer.certain || next.certain) {
    if (!answer.certain) answer.certain = answer.possible;
    *answer.certain |= next.lower();
  }
  answer.possible |= next.possible;
}

Answer answer_of(SlotBounds bounds) {
  bounds.doubtful -= bounds.sure;
  if (bounds.doubtful.empty()) return {std::move(bounds.sure), std::nullopt};
  SlotSet possible = bounds.sure;
  possible |= bounds.doubtful;
  return {std::move(possible), std::move(bounds.sure)};
}

}  // namespace

struct PayloadIndex::State {
  PayloadIndexBounds bounds;
  Fields fields;
  SlotSet slots;
  /// Slots with a field that found no place among `fields`.
  SlotPostings refused;
  FieldIndex::Visit visits = 0;

  Answer match(const Filter::Node& node) const {
    return std::visit([this](const auto& value) { return match(value); }, node.value);
  }
  Answer match(const Filter::And& all) const;
  Answer match(const Filter::Or& any) const;
  Answer match(const Filter::Not& no) const;
  Answer match(const Filter::Condition& condition) const {
    return match_field(condition.path,
                       [&](const FieldIndex& field) { return field.match(condition); });
  }
  Answer match(const Filter::AnyOf& any) const {
    return match_field(any.path, [&](const FieldIndex& field) { return field.match(any); });
  }
  Answer match(const Filter::Exists& exists) const {
    return match_field(exists.path, [](const FieldIndex& field) {
      return SlotBounds{field.present(), {}};
    });
  }

  template <typename Match>
  Answer match_field(const std::vector<std::string>& path, const Match& match_values) const {
    const auto found = fields.find(dotted(path));
    return finished(found == fields.end() ? nullptr : &found->second,
                    found == fields.end() ? SlotBounds() : match_values(found->second.index));
  }
  Answer finished(const Field* field, SlotBounds hits) const {
    if (field == nullptr || field->late) {
      refused.add_to(hits.doubtful);
    }
    return answer_of(std::move(hits));
  }
  /// Conditions on one path.
  Answer match_all(const std::string& path, const Conditions& conditions) const;
};

namespace {

struct Putter {
  const PayloadIndexBounds& bounds;
  Fields& fields;
  SlotPostings& refused;
  Slot slot;
  FieldIndex::Visit visit;

  Field* field(const std::string& path) {
    auto found = fields.find(path);
    if (found == fields.end()) {
      if (fields.size() >= bounds.fields_max) {
        refused.insert(slot);
        return nullptr;
      }
      found = fields.try_emplace(path, bounds.values_max).first;
      found->second.late = !refused.empty();
    }
    found->second.index.put(slot);
    return &found->second;
  }
  void value(Field& field, const ScalarView& scalar) const { field.index.put(slot, scalar, visit); }
};

struct Eraser {
  Fields& fields;
  Slot slot;
  FieldIndex::Visit visit;
  /// Paths of fields that no slot has any more. They stay until the walk is over, for a field may
  /// come up again in it.
  std::vector<std::string> emptied;

  Field* field(const std::string& path) {
    const auto found = fields.find(path);
    if (found == fields.end()) return nullptr;
    if (found->second.index.erase(slot)) emptied.push_back(path);
    return &found->second;
  }
  void value(Field& field, const ScalarView& scalar) const {
    field.index.erase(slot, scalar, visit);
  }
};

}  // namespace

Answer PayloadIndex::State::match(const Filter::And& all) const {
  std::map<std::string, Conditions> by_path;
  std::vector<const Filter::Node*> others;
  for (const auto& node : all.nodes) {
    if (const auto* condition = std::get_if<Filter::Condition>(&node.value)) {
      by_path[dotted(condition->path)].push_back(condition);
    } else {
      others.push_back(&node);
    }
  }
  Answer answer{slots, std::nullopt};
  for (const auto& [path, conditions] : by_path) {
    if (answer.possible.empty()) return answer;
    intersect(answer, match_all(path, conditions));
  }
  for (const auto* node : others) {
    if (answer.possible.empty()) return answer;
    intersect(answer, match(*node));
  }
  return answer;
}

Answer PayloadIndex::State::match_all(const std::string& path, const Conditions& conditions) const {
  const auto found = fields.find(path);
  if (found != fields.end()) {
    if (auto hits = found->second.index.match_window(conditions)) {
      return finished(&found->second, std::move(*hits));
    }
  }
  Answer answer = match(*conditions.front());
  for (std::size_t i = 1; i < conditions.size(); ++i) intersect(answer, match(*conditions[i]));
  return answer;
}

Answer PayloadIndex::State::match(const Filter::Or& any) const {
  Answer answer;
  for (const auto& node : any.nodes) unite(answer, match(node));
  return answer;
}

Answer PayloadIndex::State::match(const Filter::Not& no) const {
  const Answer inner = match(no.nodes.front());
  Answer answer{slots, std::nullopt};
  answer.possible -= inner.lower();
  if (inner.certain) {
    answer.certain = slots;
    *answer.certain -= inner.possible;
  }
  return answer;
}

PayloadIndex::PayloadIndex(const PayloadIndexBounds& bounds) : state_(std::make_unique<State>()) {
  state_->bounds = bounds;
}
PayloadIndex::~PayloadIndex() = default;

void PayloadIndex::put(Slot slot, const Json& payload) {
  assert(payload.is_object() && !state_->slots.contains(slot));
  state_->slots.insert(slot);
  Putter putter{state_->bounds, state_->fields, state_->refused, slot, ++state_->visits};
  PayloadWalk<Field, Putter>(putter).run(payload);
}

void PayloadIndex::erase(Slot slot, const Json& payload) {
  if (!state_->slots.contains(slot)) return;
  state_->slots.erase(slot);
  Eraser eraser{state_->fields, slot, ++state_->visits, {}};
  PayloadWalk<Field, Eraser>(eraser).run(payload);
  for (const auto& path : eraser.emptied) state_->fields.erase(path);
  if (state_->refused.erase(slot) && state_->refused.empty()) {
    for (auto& [path, field] : state_->fields) field.late = false;
  }
}

SlotMatch PayloadIndex::match(const Filter& filter) const {
  Answer answer = state_->match(filter.root());
  const bool exact = !answer.certain || answer.certain->size() == answer.possible.size();
  return {std::move(answer.possible), exact};
}

std::vector<FieldSummary> PayloadIndex::fields(std::size_t limit) const {
  using Entry = std::pair<std::string_view, const FieldIndex*>;
  std::vector<Entry> entries;
  for (const auto& [path, field] : state_->fields) entries.emplace_back(path, &field.index);
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
    const std::size_t in_a = a.second->points();
    const std::size_t in_b = b.second->points();
    return in_a != in_b ? in_a > in_b : a.first < b.first;
  });
  std::vector<FieldSummary> summaries;
  for (const auto& [path, field] : entries) {
    if (summaries.size() >= limit) break;
    auto types = field->types();
    if (types.empty()) continue;
    summaries.push_back(
        {std::string(path), std::move(types), field->points(), field->examples(kExamplesShown)});
  }
  return summaries;
}

}  // namespace quiver::storage
