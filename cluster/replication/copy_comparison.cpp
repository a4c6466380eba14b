#include "cluster/replication/copy_comparison.h"

namespace quiver::cluster::replication {

Comparison compare(const ContentSums& one, const ContentSums& other,
                   const ContentBuckets& touched) {
  Comparison out;
  for (std::size_t i = 0; i < kContentBuckets; ++i) {
    if (touched.test(i)) continue;
    ++out.compared;
    if (one.buckets.at(i) != other.buckets.at(i)) out.differing.set(i);
  }
  return out;
}

}  // namespace quiver::cluster::replication
