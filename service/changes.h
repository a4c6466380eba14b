#pragma once

#include <array>
#include <cstddef>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

/// Telling those who have read something that it is different now.
namespace quiver::service {

/// What an operation has changed. Says where to look again, not what is new there.
struct Change {
  enum class Kind {
    /// A collection was made or dropped.
    CollectionsChanged,
    /// Points of a collection were written or deleted. That points expire is not told.
    PointsChanged,
  };
  Kind kind = Kind::CollectionsChanged;
  /// Empty: any of them may have changed.
  std::string collection;

  bool operator==(const Change&) const = default;
};

using ChangeListener = std::function<void(const Change&)>;

/// Keeps a listener subscribed for as long as it lives. Once it has been destroyed the listener is
/// neither running nor called again, unless it is the listener that destroys it. May outlive what
/// it was made by.
class [[nodiscard]] ChangeSubscription {
 public:
  ChangeSubscription() = default;
  explicit ChangeSubscription(std::function<void()> end) : end_(std::move(end)) {}
  ~ChangeSubscription() { reset(); }
  ChangeSubscription(ChangeSubscription&& other) noexcept
      : end_(std::exchange(other.end_, nullptr)) {}
  ChangeSubscription& operator=(ChangeSubscription&& other) noexcept {
    if (this == &other) return *this;
    reset();
    end_ = std::exchange(other.end_, nullptr);
    return *this;
  }

  void reset() {
    if (const auto end = std::exchange(end_, nullptr)) end();
  }

 private:
  std::function<void()> end_;
};

/// Tells every subscriber at once, on the thread that publishes. What a listener throws is logged.
///
/// Threads: any; one listener is never called twice at the same time.
class ChangeHub {
 public:
  ChangeHub();

  ChangeSubscription subscribe(ChangeListener listener);
  void publish(const Change& change) const;
  bool has_listeners() const;

 private:
  struct Entry;
  struct State;
  std::shared_ptr<State> state_;
};

/// Changes that wait to be told, each once and never more than kNamesMax of a kind: what goes
/// beyond becomes "any of them".
///
/// Threads: one at a time.
class PendingChanges {
 public:
  static constexpr std::size_t kNamesMax = 256;

  void add(const Change& change);
  bool empty() const noexcept;
  /// All of them, collections first, in order of name; none is left.
  std::vector<Change> take();

 private:
  struct Names {
    bool any = false;
    std::set<std::string> some;
  };
  std::array<Names, 2> kinds_;
};

}  // namespace quiver::service
