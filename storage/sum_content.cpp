#include "storage/sum_content.h"

#include <utility>
#include <vector>

#include "storage/point_assembly.h"

namespace quiver::storage {
namespace {

// Read at once: much less than a tenth of a second, and of memory.
constexpr std::size_t kPointsAtOnce = 256;
constexpr Projection kAll{true, true, true};

class Summing {
 public:
  Summing(const PointStore::View& view, const std::function<Status(std::size_t)>& read)
      : view_(view), read_(read) {
    sums_.buckets.resize(kContentBuckets);
  }

  Status take(Slot slot, const SlotRecord& owner) {
    found_.push_back({slot, owner.id, owner.created_at_ms, owner.expires_at_ms});
    return found_.size() < kPointsAtOnce ? Status(Done{}) : add_all();
  }
  Status add_all() {
    QV_TRY(const auto points, assemble(view_, found_, kAll, std::nullopt));
    std::size_t bytes = 0;
    for (const auto& point : points) {
      sums_.buckets[content_bucket(point->id)] += content_hash(*point);
      ++sums_.points;
      bytes += point->vector.size() * sizeof(float) + (point->text ? point->text->size() : 0);
    }
    found_.clear();
    return read_(bytes);
  }
  ContentSums& sums() { return sums_; }

 private:
  const PointStore::View& view_;
  const std::function<Status(std::size_t)>& read_;
  ContentSums sums_;
  std::vector<FoundPoint> found_;
};

}  // namespace

Result<ContentSums> sum_content(const CallContext& call, const PointStore::View& view,
                                const std::function<Status(std::size_t bytes)>& read) {
  Summing summing(view, read);
  QV_TRY(const auto mark, view.mark());
  const auto visit = [&](Slot slot, const SlotRecord& owner) -> Result<bool> {
    QV_CHECK(call.check());
    QV_CHECK(summing.take(slot, owner));
    return true;
  };
  QV_CHECK(view.each_slot(Slot{0}, visit));
  QV_CHECK(summing.add_all());
  summing.sums().applied = mark.applied;
  return std::move(summing.sums());
}

}  // namespace quiver::storage
